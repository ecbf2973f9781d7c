// Started with few descriptors to have: takes all that are left, and tells what becomes of whom it starts then.
import { closeSync, openSync } from "node:fs";
import { messageOf } from "../../src/errors.ts";
import { git } from "../../src/git/git.ts";
import { BoundedProcess } from "../../src/plan/bounded-process.ts";
import { startStep } from "../../src/run/step-process.ts";

const told = (promise: Promise<unknown>): Promise<string> => promise.then(String, messageOf);

function takeAll(): number[] {
  const taken: number[] = [];
  try {
    for (;;) taken.push(openSync("/dev/null", "r"));
  } catch {
    return taken;
  }
}

function step(): Promise<string> {
  const order = { argv: ["true"], cwd: "/", environment: {}, tty: false } as const;
  const said: string[] = [];
  return new Promise((resolve) => {
    const say = (what: string): void => {
      said.push(what);
      if (said.length === 2) resolve(said.toSorted().join(", "));
    };
    const handleExit = ({ type }: { type: string }): void => say(type);
    startStep(
      order,
      { handleOutput() {}, handleOutputEnd: () => say("no output"), handleExit },
      undefined,
    );
  });
}

async function planner(): Promise<string> {
  const bounds = { timeoutMs: 10_000, maxBytes: 100, heapMiB: 64, dataMiB: 512 };
  const program = new BoundedProcess({ argv: ["-e", ""], cwd: "/", environment: {}, ...bounds });
  const end = await program.ask("");
  return end.type === "failed" ? end.message : end.type;
}

const taken = takeAll();
const without = {
  git: await told(git(["version"])),
  step: await step(),
  planner: await told(planner()),
};
for (const descriptor of taken) closeSync(descriptor);
console.log(JSON.stringify({ without, after: await told(git(["version"])) }));
