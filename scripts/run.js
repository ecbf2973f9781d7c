// Runs scripts/NAME.ts: `node scripts/run.js NAME [arguments]`.
// Plain JavaScript: where the installation failed, the machine's own, older Node reads this file.

const WANTED_MAJOR = 26;

if (Number(process.versions.node.split(".")[0]) < WANTED_MAJOR) {
  console.error(
    `Expected Node ${WANTED_MAJOR} or later (the installation puts it into node_modules), got ${process.version}: ` +
      "run `npx -y pnpm@12 install`, read what it says if it fails, and try again.",
  );
  process.exit(1);
}

const [name = "", ...args] = process.argv.slice(2);
// `pnpm start -- x` hands on the `--` too.
process.argv.splice(2, Infinity, ...(args[0] === "--" ? args.slice(1) : args));
await import(`./${name}.ts`);
