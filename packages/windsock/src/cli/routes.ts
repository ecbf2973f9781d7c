import type { Route } from "../gateway/routes.ts";
import { listRoutes } from "../node/service-files.ts";
import type { RoutesOptions } from "./command-line.ts";
import { writeNames } from "./names.ts";
import { table } from "./table.ts";

/** `windsock routes`: what would be served, without running any of it. */
export async function routes({ services, base, json, types }: RoutesOptions): Promise<void> {
  if (types !== undefined) {
    const result = await writeNames(types, services);
    console.log(result === "written" ? `${types} is written.` : `${types} is up to date.`);
    return;
  }
  const found = await listRoutes(services, base === undefined ? {} : { base });
  console.log(json ? JSON.stringify(found.map(entry), null, 2) : routesTable(found, services));
}

function entry({ name, path, file, params }: Route): object {
  return { name, path, file, params };
}

function routesTable(found: readonly Route[], services: string): string {
  if (found.length === 0) return `There is no service in ${services} yet.`;
  const rows = found.map(({ name, path, file, params }) => [name, path, file, params.join(", ")]);
  return table([["NAME", "URL", "FILE", "KEYS"], ...rows]);
}
