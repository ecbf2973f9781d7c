// What a project with 200 services costs the compiler. Times are printed; instantiations, which are
// the same on every machine, are held below a bound.
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { namesFile } from "../../src/gateway/names-file.ts";
import { routesFromFiles } from "../../src/gateway/routes.ts";
import { PublishedApp } from "./published-app.ts";

const options = { extendedDiagnostics: true, singleThreaded: true };
let app: PublishedApp;

beforeAll(async () => {
  app = await PublishedApp.create();
});

afterAll(() => app.remove());

interface Cost {
  readonly errors: string;
  readonly instantiations: number;
  readonly types: number;
  readonly memory: string;
  readonly time: string;
}

/** Every fourth service has a key. */
function nameOf(n: number): string {
  return n % 4 === 3 ? `room-${n}/[id]` : `service-${n}`;
}

/** Where a caller finds the service: a name, or a name with a key. */
function addressOf(n: number): string {
  return n % 4 === 3 ? `\`room-${n}/\${id}\`` : `"service-${n}"`;
}

function schemaOf(n: number): string {
  return `z.discriminatedUnion("type", [
  z.object({ type: z.literal("rename"), name: z.string().min(1), at: z.coerce.date() }),
  z.object({ type: z.literal("count${n}"), by: z.number().default(1) }),
])`;
}

function service(n: number, count: number): string {
  const next = (n + 1) % count;
  return `import { broadcast, defineService, noreply, reply, type, type Client } from "windsock";
import { z } from "zod";

export type Event${n} = { type: "named"; name: string } | { type: "counted"; n${n}: number };
const id = "42";

export default defineService({
  ${n % 4 === 3 ? `params: ["id"],` : ""}
  incoming: ${schemaOf(n)},
  outgoing: type<Event${n}>(),
  info: type<{ type: "tick"; n: number }>(),
  calls: {
    rename: { request: z.object({ name: z.string() }), response: type<{ ok: boolean }>() },
    count: { response: z.number() },
  },
  authorize: (request) =>
    request.url.searchParams.has("user") ? { user: ${n} } : new Response(null, { status: 401 }),
  init: () => ({ count: 0, phase: "idle" as "idle" | "busy", clients: [] as Client<Event${n}>[] }),
  handleJoin(client, state, service) {
    client.send({ type: "counted", n${n}: client.user.user });
    service.sendAfter({ type: "tick", n: 1 }, 1000);
    return { ...state, clients: [...state.clients, client] };
  },
  handleIncoming(_client, message, state, service) {
    if (message.type === "rename") service.publish({ type: "named", name: message.name });
    else return { ...state, count: state.count + message.by, phase: "busy" };
    broadcast(${addressOf(next)}, { type: "counted", n${next}: 1 });
    return noreply({ ...state, phase: "idle" }, { timeoutMs: 1000 });
  },
  handleInfo: (info, state) => (info.type === "tick" ? { ...state, count: info.n } : state),
  handleCall: {
    rename: (_client, { name }, state) => reply({ ok: name !== "" }, { ...state, phase: "busy" }),
    count: (_client, _request, state) => reply(state.count),
  },
});
`;
}

/** The HTTP side of the app: it names every service once. */
function callers(count: number): string {
  const uses = Array.from({ length: count }, (_, n) => {
    const address = addressOf(n);
    return `  broadcast(${address}, { type: "counted", n${n}: 1 });
  info(${address}, { type: "tick", n: 1 });
  numbers.push(await call(${address}, "count"));
  await call(${address}, "rename", { name: "x" });`;
  });
  return `import { broadcast, call, info } from "windsock";
const id: string = process.argv[2] ?? "";
export async function all(): Promise<number[]> {
  const numbers: number[] = [];
${uses.join("\n")}
  return numbers;
}
`;
}

/** The same without us: what the schemas cost by themselves. */
function control(n: number): string {
  return `import { z } from "zod";

const incoming = ${schemaOf(n)};
const rename = z.object({ name: z.string() });
const count = z.number();
export type In = z.input<typeof incoming>;
export type Out = z.output<typeof incoming>;
export type Rename = z.input<typeof rename> & z.output<typeof rename>;
export type Count = z.output<typeof count>;
`;
}

async function write(files: Readonly<Record<string, string>>): Promise<string[]> {
  for (const [file, text] of Object.entries(files)) {
    await mkdir(dirname(join(app.folder, file)), { recursive: true });
    await writeFile(join(app.folder, file), text);
  }
  return Object.keys(files);
}

async function project(count: number): Promise<Cost> {
  const folder = `app-${count}`;
  const routes = routesFromFiles(Array.from({ length: count }, (_, n) => `${nameOf(n)}.ts`));
  return measure(
    await write({
      [`${folder}/windsock.d.ts`]: namesFile(routes, { importPrefix: "./websocket" }),
      [`${folder}/callers.ts`]: callers(count),
      ...Object.fromEntries(
        Array.from({ length: count }, (_, n) => [
          `${folder}/websocket/${nameOf(n)}.ts`,
          service(n, count),
        ]),
      ),
    }),
  );
}

async function controls(count: number): Promise<Cost> {
  return measure(
    await write(
      Object.fromEntries(
        Array.from({ length: count }, (_, n) => [`control-${count}/${n}.ts`, control(n)]),
      ),
    ),
  );
}

async function measure(files: readonly string[]): Promise<Cost> {
  const output = await app.compile(files, options);
  const figure = (name: string): string =>
    new RegExp(`^${name}:\\s+(\\S+)`, "m").exec(output)?.[1] ?? "";
  return {
    errors: output
      .split("\n")
      .filter((line) => line.includes("error TS"))
      .join("\n"),
    instantiations: Number(figure("Instantiations")),
    types: Number(figure("Types")),
    memory: figure("Memory used"),
    time: figure("Total time"),
  };
}

test("200 services cost at most 6,000 instantiations each, about as many as each of 100", async () => {
  const rows = {
    "100 services": await project(100),
    "200 services": await project(200),
    "200 controls (their schemas alone)": await controls(200),
  };
  console.table(rows, ["instantiations", "types", "memory", "time"]);
  for (const { errors } of Object.values(rows)) expect(errors).toBe("");
  const each = rows["200 services"].instantiations / 200;
  expect(each).toBeGreaterThan(0);
  expect(each).toBeLessThan(6000);
  // More than a share of it would mean that each name is looked up among all of them.
  expect(each).toBeLessThan((rows["100 services"].instantiations / 100) * 1.3);
}, 60_000);
