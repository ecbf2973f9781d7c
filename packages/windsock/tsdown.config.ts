import { defineConfig } from "tsdown";

export default defineConfig({
  // One entry for each subpath in package.json, and what bin/windsock.js starts.
  entry: ["src/{index,client/index,testing/index,cli/main}.ts"],
  tsconfig: "tsconfig.build.json",
  platform: "node",
  dts: true,
  // The package is ESM: `.js` says enough.
  fixedExtension: false,
  publint: { strict: true },
});
