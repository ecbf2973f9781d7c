/** The style sheets and modules that the page at that URL names, in the order in which it does. */
export async function assetPaths(url: string): Promise<string[]> {
  const html = await (await fetch(url)).text();
  return [...html.matchAll(/(?:href|src)="(\/assets\/[^"]+)"/g)].map(([, path]) => path ?? "");
}
