import { describe, expect, test } from "vitest";
import { checkImports } from "./check-imports.ts";

describe("the import-direction rule", () => {
  test.each([
    ["actor/mailbox.ts", `import { Frame } from "../protocol/frame.ts";`],
    ["actor/mailbox.ts", `import { Timer } from "./timer.ts";`],
    ["protocol/frame.ts", `import { WindsockError } from "../errors.ts";`],
    ["index.ts", `export * from "./cli/main.ts";`],
    ["protocol/frame.ts", `import { readFile } from "node:fs/promises";`],
    ["actor/mailbox.test.ts", `import { network } from "../testing/network.ts";`],
    ["actor/mailbox.ts", `/** import { x } from "../edge/session.ts"; */`],
    ["cli/main.ts", `import pkg from "../../package.json" with { type: "json" };`],
  ])("%s may say %s", (file, source) => {
    expect(checkImports(file, source)).toEqual([]);
  });

  test.each([
    ["protocol/frame.ts", `import { Mailbox } from "../actor/mailbox.ts";`],
    ["protocol/frame.ts", `import type { Mailbox } from "../actor/mailbox.ts";`],
    ["edge/session.ts", `export { Server } from '../node/server.ts';`],
    ["edge/session.ts", `const { run } = await import("../cli/main.ts");`],
    ["edge/session.ts", `import "../gateway/routes.ts";`],
    ["edge/session.ts", `import {\n  a,\n  b,\n} from "../gateway/routes.ts";`],
    ["errors.ts", `import { Mailbox } from "./actor/mailbox.ts";`],
    ["cli/main.ts", `import { defineService } from "../index.ts";`],
    ["extra/thing.ts", ``],
  ])("%s may not say %s", (file, source) => {
    expect(checkImports(file, source)).toHaveLength(1);
  });
});
