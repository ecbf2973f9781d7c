import { configJsonSchema } from "../plan/config-schema.ts";

/** `autobuild schema`: the JSON schema of the configuration, for editors. Returns the exit code. */
export function schemaCommand(write: (text: string) => void): number {
  write(`${JSON.stringify(configJsonSchema(), null, 2)}\n`);
  return 0;
}
