export interface NamesFileOptions {
  /** The services folder, seen from the folder that the file is for: `./src/websocket`. */
  readonly importPrefix: string;
}

/**
 * The text of an app's `windsock.d.ts`, which makes the names of its services known to the compiler:
 *
 *     declare module "windsock" {
 *       interface Services {
 *         "room/[id]": typeof import("./src/websocket/room/[id].ts").default;
 *         status: typeof import("./src/websocket/status.ts").default;
 *       }
 *     }
 *
 * The same services give the same text, whatever their order. It is what formatters leave alone.
 */
export function namesFile(
  routes: readonly { readonly name: string; readonly file: string }[],
  options: NamesFileOptions,
): string {
  const folder = folderOf(options.importPrefix);
  // By code unit: the order must not depend on a machine's language.
  const sorted = routes.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const lines = sorted.map(
    ({ name, file }) =>
      `    ${keyOf(name)}: typeof import(${textOf(folder + file.replaceAll("\\", "/"))}).default;\n`,
  );
  return (
    `// The names of the services in ${oneLine(folder)}. Windsock writes this file: changes to it are lost.\n` +
    `declare module "windsock" {\n` +
    (lines.length === 0
      ? `  interface Services {}\n`
      : `  interface Services {\n${lines.join("")}  }\n`) +
    `}\n` +
    // Without an export this would declare a module of that name, and hide the package.
    `export {};\n`
  );
}

/** Relative, with `/` and one at its end: without `./` it would name a package. */
function folderOf(importPrefix: string): string {
  const folder = (importPrefix || ".").replaceAll("\\", "/").replace(/\/*$/, "/");
  return /^(?:\.\.?)?\//.test(folder) ? folder : `./${folder}`;
}

function keyOf(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : textOf(name);
}

function textOf(value: string): string {
  return JSON.stringify(value);
}

/** What may stand in a comment of one line: JSON leaves two of the four line ends as they are. */
function oneLine(value: string): string {
  return textOf(value)
    .slice(1, -1)
    .replaceAll(/[\u2028\u2029]/g, " ");
}
