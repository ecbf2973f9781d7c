import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Dialect } from "./commands.ts";

/** One server that is measured. */
export interface Peer {
  readonly name: string;
  /** What its column is headed with. */
  readonly title: string;
  /** The file in `servers/`, without `.ts`. @default its name */
  readonly server?: string;
  readonly runtime: "node" | "bun";
  readonly dialect: Dialect;
  /** Also in a short run. */
  readonly isUsual: boolean;
  /** Only in scenarios that name it. */
  readonly isSpecial?: boolean;
}

/** What all ratios refer to. */
export const control = "ws";

const plain: Dialect = { kind: "plain", path: "/websocket/bench", prefix: "", suffix: "" };
const windsockV1: Dialect = {
  kind: "windsock-v1",
  path: "/websocket/bench",
  prefix: "",
  suffix: "",
};
const engineIo: Dialect = {
  kind: "engine-io",
  path: "/socket.io/?EIO=4&transport=websocket",
  prefix: '42["m","',
  suffix: '"]',
};

export const peers: readonly Peer[] = [
  { name: control, title: "`ws`", runtime: "node", dialect: plain, isUsual: true },
  {
    name: "ws-shared",
    title: "`ws`, shared frame",
    runtime: "node",
    dialect: plain,
    isUsual: true,
  },
  {
    name: "windsock-publish",
    title: "Windsock, plain",
    runtime: "node",
    dialect: plain,
    isUsual: true,
  },
  {
    name: "windsock-v1",
    title: "Windsock, `windsock.v1`",
    server: "windsock-publish",
    runtime: "node",
    dialect: windsockV1,
    isUsual: true,
  },
  {
    name: "windsock-durable",
    title: "Windsock, plain, durable",
    runtime: "node",
    dialect: plain,
    isUsual: true,
    isSpecial: true,
  },
  {
    name: "windsock-v1-durable",
    title: "Windsock, `windsock.v1`, durable",
    server: "windsock-durable",
    runtime: "node",
    dialect: windsockV1,
    isUsual: true,
    isSpecial: true,
  },
  {
    name: "windsock-loop",
    title: "Windsock, loop of sends",
    runtime: "node",
    dialect: plain,
    isUsual: true,
  },
  { name: "net", title: "bare `net.Socket`", runtime: "node", dialect: plain, isUsual: true },
  {
    name: "socket-io",
    title: "Socket.IO",
    runtime: "node",
    dialect: engineIo,
    isUsual: false,
  },
  { name: "bun", title: "Bun", runtime: "bun", dialect: plain, isUsual: false },
];

/** The Bun that is compared. It is 100 MB, so it is no dependency: it is fetched for a run that wants it. */
export const bunVersion = "1.4.5";
const bunFolder = fileURLToPath(new URL(".peers/", import.meta.url));
const bunPackage = `@oven/bun-${process.platform}-${process.arch === "arm64" ? "aarch64" : process.arch}`;

/** The path of Bun: the variable BUN, else what `fetchBun` brought. */
export function findBun(): string | undefined {
  const given = process.env["BUN"];
  if (given !== undefined && given !== "") return given;
  const fetched = `${bunFolder}node_modules/${bunPackage}/bin/bun`;
  return existsSync(fetched) ? fetched : undefined;
}

/** Gets Bun from the package registry into `bench/.peers`. False: it could not be had. */
export function fetchBun(): boolean {
  mkdirSync(bunFolder, { recursive: true });
  writeFileSync(`${bunFolder}package.json`, '{ "private": true }\n');
  const { status } = spawnSync(
    "npm",
    ["install", "--no-save", "--no-audit", "--no-fund", `${bunPackage}@${bunVersion}`],
    { cwd: bunFolder, stdio: ["ignore", "ignore", "inherit"] },
  );
  return status === 0 && findBun() !== undefined;
}

/** The command that starts a peer's server for a scenario. */
export function commandOf(peer: Peer, scenario: string): readonly string[] {
  const file = fileURLToPath(new URL(`servers/${peer.server ?? peer.name}.ts`, import.meta.url));
  if (peer.runtime === "bun") return [findBun() ?? "bun", file, scenario];
  return [process.execPath, "--conditions=@windsock/source", "--expose-gc", file, scenario];
}
