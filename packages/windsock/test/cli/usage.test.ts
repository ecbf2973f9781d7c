import { expect, test } from "vitest";
import packageJson from "../../package.json" with { type: "json" };
import { project, windsock } from "./run-cli.ts";

test("--version prints the version of the package", async () => {
  const folder = await project({});
  expect(await windsock(folder, ["--version"])).toEqual({
    code: 0,
    out: `${packageJson.version}\n`,
    err: "",
  });
});

test("--help lists the commands, and each command's own --help its options", async () => {
  const folder = await project({});
  const all = await windsock(folder, ["--help"]);
  expect(all.code).toBe(0);
  for (const command of ["start", "dev", "routes", "broadcast"]) {
    expect(all.out).toContain(`  ${command} `);
    const one = await windsock(folder, [command, "--help"]);
    expect(one).toMatchObject({ code: 0, err: "" });
    expect(one.out).toContain(`Usage: windsock ${command}`);
  }
});

test.each([
  [[], /^Expected a command, got none\./],
  [["strat"], /^Expected a command \(start, dev, routes, broadcast\), got "strat"\./],
  [
    ["start", "--prot", "1"],
    /^Expected an option of `windsock start` \(--port, .*\), got "--prot"\.$/,
  ],
  [["start", "-p"], /got "-p"\.$/],
  [["start", "--port"], /^Expected a value after `--port`, got none\.$/],
  [
    ["start", "--port", "65536"],
    /^Expected `--port` to be a whole number from 0 to 65535, got "65536"\.$/,
  ],
  [["start", "--port", "8001.5"], /got "8001\.5"\.$/],
  [["start", "here"], /^Expected only options after `windsock start`, got "here"\.$/],
  [["routes", "--json=yes"], /^Expected `--json` without a value, got "yes"\.$/],
  [["routes", "--json", "--types", "x"], /^Expected `--json` or `--types`, got both\./],
  [["broadcast"], /^Expected a service and a text, got no service: /],
  [["broadcast", "status"], /^Expected a text for status, got none: /],
  [["broadcast", "status", "build", "1"], /`windsock broadcast status "build 1"`\.$/],
  [["broadcast", "status", "hi", "--file", "-"], /^Expected a text or `--file`, got both\./],
  [
    ["broadcast", "status", "1", "--json", "--binary"],
    /^Expected `--json` or `--binary`, got both\./,
  ],
  [
    ["broadcast", "status", "hi", "--url", "localhost:8001"],
    /^Expected `--url` to begin with http:/,
  ],
  [["broadcast", "status", "hi", "--url", "here"], /^Expected `--url` to be a URL such as /],
  [["broadcast", "../status", "hi"], /^Expected the name of a service, /],
  [["broadcast", "room//x", "hi"], /^Expected the name of a service, /],
])("windsock %j is answered with a sentence and exit code 2", async (args, sentence) => {
  const folder = await project({});
  const { code, out, err } = await windsock(folder, args);
  expect(err.trimEnd()).toMatch(sentence);
  expect(err).not.toMatch(/\n\s+at /);
  expect(out).toBe("");
  expect(code).toBe(2);
});
