/** The command line asks for something that there is not. Its message goes to stderr; the exit code is 2. */
export class UsageError extends Error {}
