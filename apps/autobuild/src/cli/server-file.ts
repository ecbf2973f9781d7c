import { chmodSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { z } from "zod";

const schema = z.object({
  url: z.string(),
  token: z.string(),
  pid: z.int().positive(),
  repositories: z.array(z.string()),
});

/** How commands of the same machine reach a server that runs. */
export type ServerFile = z.infer<typeof schema>;

function fileOf(dataDir: string): string {
  return path.join(dataDir, "server.json");
}

/** Leaves it in the data folder, for its owner alone. Gives a function that takes it away. */
export function writeServerFile(dataDir: string, content: ServerFile): () => void {
  const file = fileOf(dataDir);
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, `${JSON.stringify(content, undefined, 2)}\n`, { mode: 0o600 });
  chmodSync(draft, 0o600);
  renameSync(draft, file);
  return () => rmSync(file, { force: true });
}

/** What the server of that folder left, if it still runs. */
export function readServerFile(dataDir: string): ServerFile | undefined {
  let text: string;
  try {
    text = readFileSync(fileOf(dataDir), "utf8");
  } catch {
    return undefined;
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const found = schema.safeParse(json);
  return found.success && isAlive(found.data.pid) ? found.data : undefined;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
