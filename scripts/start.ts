// Starts AutoBuild: `pnpm start [-- [repository] [options]]`; without a repository it builds the one
// that the command was typed in, this one.
import { delimiter, sep } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

// A relative path counts from where the command was typed.
process.chdir(process.env["INIT_CWD"] ?? root);

// Builds inherit our environment. They get the one that the command was typed in: with what npx
// and pnpm add, a build would skip its own installation, take this workspace for its project
// (local_prefix) and run our tools instead of its own.
const added =
  /^(INIT_CWD|PNPM_SCRIPT_SRC_DIR|pnpm_config_verify_deps_before_run|npm_(lifecycle_|package_|config_(local_prefix|user_agent)|command|execpath|node_execpath))/;
for (const key of Object.keys(process.env)) if (added.test(key)) delete process.env[key];
process.env["PATH"] = (process.env["PATH"] ?? "")
  .split(delimiter)
  .filter(
    (folder) => !folder.endsWith(`node_modules${sep}.bin`) && !folder.endsWith("node-gyp-bin"),
  )
  .join(delimiter);

await import("../apps/autobuild/src/cli.ts");
