import { describe, expect, test } from "vitest";
import { buildEnvironment, type EnvironmentOptions } from "../src/run/environment.ts";

const options: EnvironmentOptions = {
  buildId: 7,
  sha: "abc",
  branch: "main",
  cookie: "c",
  configured: {},
  passEnv: [],
};
const environment = (more: Partial<EnvironmentOptions> = {}, own: NodeJS.ProcessEnv = {}) =>
  buildEnvironment({ ...options, ...more }, own);

describe("a step's environment", () => {
  test("says that there is a terminal, and colour, only where there is one", () => {
    expect(environment({ isTerminal: true })).toMatchObject({
      TERM: "xterm-256color",
      FORCE_COLOR: "1",
      CLICOLOR_FORCE: "1",
      PAGER: "cat",
      GIT_TERMINAL_PROMPT: "0",
      CI: "1",
    });
    expect(environment({ isTerminal: true })).not.toHaveProperty("NO_COLOR");
    expect(environment()).toMatchObject({ TERM: "dumb", FORCE_COLOR: "0", NO_COLOR: "1" });
    expect(environment()).not.toHaveProperty("CLICOLOR_FORCE");
  });

  test("has the colour that the configuration asks for", () => {
    const asked = environment({ configured: { FORCE_COLOR: "3" } });
    expect(asked).toMatchObject({ FORCE_COLOR: "3", TERM: "dumb" });
    expect(asked).not.toHaveProperty("NO_COLOR");
    expect(environment({ isTerminal: true, configured: { FORCE_COLOR: "0" } })).toMatchObject({
      FORCE_COLOR: "0",
    });
  });

  test("says what led to the build, and the tag if it is of one", () => {
    expect(environment({ event: "tag", tag: "v1.0" })).toMatchObject({
      AUTOBUILD_EVENT: "tag",
      AUTOBUILD_TAG: "v1.0",
    });
    expect(environment({ event: "push" })).not.toHaveProperty("AUTOBUILD_TAG");
  });
});
