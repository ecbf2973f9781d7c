// Puts the page together and writes it to its output, for `readPage`; where that cannot be done, why, to its errors.
import { stripVTControlCharacters } from "node:util";
import { serialize } from "node:v8";
import { messageOf } from "./errors.ts";

try {
  await requireBundler();
  const { collectPage } = await import("./page-files.ts");
  process.stdout.write(serialize(await collectPage()));
} catch (error) {
  process.stderr.write(stripVTControlCharacters(messageOf(error)));
  process.exitCode = 1;
}

/** It is a program of its own for each platform. What it says of a missing one is advice for another package manager. */
async function requireBundler(): Promise<void> {
  try {
    await import("rolldown");
  } catch (error) {
    throw new Error(
      `Expected rolldown, which puts the page together, with its binding for ${process.platform}-${process.arch}, ` +
        "got none that loads. Run `npx -y pnpm@12 install` on this machine: what was installed on another one lacks it.",
      { cause: error },
    );
  }
}
