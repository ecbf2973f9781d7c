import { execFile } from "node:child_process";
import { access, constants, stat } from "node:fs/promises";
import path from "node:path";

/** What the detectors may ask about this machine. */
export interface Tools {
  /** Whether a program of that name is on the PATH. */
  hasProgram(name: string): Promise<boolean>;
  /** Whether `python3` can import that module. */
  hasPythonModule(name: string): Promise<boolean>;
}

export const systemTools = {
  async hasProgram(name) {
    for (const folder of (process.env["PATH"] ?? "").split(path.delimiter)) {
      if (folder === "") continue;
      const file = path.join(folder, name);
      const isProgram = await access(file, constants.X_OK).then(
        async () => (await stat(file)).isFile(),
        () => false,
      );
      if (isProgram) return true;
    }
    return false;
  },
  hasPythonModule(name) {
    // Away from any checkout: a module there is not installed, and not ours to run here.
    const find =
      "import importlib.util, sys; sys.exit(importlib.util.find_spec(sys.argv[1]) is None)";
    return new Promise((resolve) => {
      execFile("python3", ["-c", find, name], { cwd: "/", timeout: 10_000 }, (error) =>
        resolve(error === null),
      );
    });
  },
} satisfies Tools;
