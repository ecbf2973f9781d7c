// What callbacks get, in which order the literal may be written, and helper functions.
import { expectTypeOf, test } from "vitest";
import {
  defineService,
  reply,
  type,
  type Client,
  type ServiceContext,
  type Timeout,
  type UpgradeRequest,
} from "windsock";
import { z } from "zod";

type StatusEvent = { type: "started"; id: number } | { type: "done" };
type Tick = { type: "tick" };
interface User {
  readonly name: string;
}
declare function userOf(request: UpgradeRequest): User | Response;

test("client.user is what authorize gives, less the Response that refuses", () => {
  defineService({
    authorize: (request) => userOf(request),
    handleJoin: (client) => {
      expectTypeOf(client.user).toEqualTypeOf<User>();
    },
  });
  defineService({
    async authorize(request) {
      if (request.cookies.get("session") === undefined) return new Response(null, { status: 401 });
      return { name: "ada", roles: ["admin"] };
    },
    handleJoin: (client) => {
      expectTypeOf(client.user).toEqualTypeOf<{ name: string; roles: string[] }>();
    },
    handleClose: (client) => {
      expectTypeOf(client.user).toEqualTypeOf<{ name: string; roles: string[] }>();
    },
  });
});

test("client.user is undefined without authorize, and where it only refuses", () => {
  defineService({
    handleJoin: (client) => {
      expectTypeOf(client.user).toEqualTypeOf<undefined>();
    },
  });
  defineService({
    authorize(request) {
      if (!request.headers.has("authorization")) return new Response(null, { status: 401 });
      return undefined;
    },
    handleJoin: (client) => {
      expectTypeOf(client.user).toEqualTypeOf<undefined>();
    },
  });
});

test("the order: authorize and init before the handlers, in either order", () => {
  defineService({
    authorize: (request) => userOf(request),
    init: (service) => ({ name: service.name }),
    handleJoin(client, state) {
      expectTypeOf(client.user).toEqualTypeOf<User>();
      expectTypeOf(state).toEqualTypeOf<{ name: string }>();
    },
  });
  defineService({
    init: (service) => ({ name: service.name }),
    authorize: (request) => userOf(request),
    handleJoin(client, state) {
      expectTypeOf(client.user).toEqualTypeOf<User>();
      expectTypeOf(state).toEqualTypeOf<{ name: string }>();
    },
  });
});

test("the order: after the handlers, only without a parameter or with an annotated one", () => {
  defineService({
    handleJoin(client, state) {
      expectTypeOf(client.user).toEqualTypeOf<User>();
      expectTypeOf(state).toEqualTypeOf<{ n: number }>();
      return { n: 2 };
    },
    authorize: (request: UpgradeRequest) => userOf(request),
    init: () => ({ n: 1 }),
  });
  defineService({
    handleJoin(client, state) {
      expectTypeOf(client.user).toEqualTypeOf<User>();
      return { name: state.name };
    },
    authorize: (request: UpgradeRequest) => userOf(request),
    init: (service: ServiceContext) => ({ name: service.name }),
  });
  defineService({
    handleJoin(client) {
      expectTypeOf(client.user).toEqualTypeOf<undefined>();
    },
    // @ts-expect-error -- comes too late: the handler above has fixed the type of the user
    authorize: (request) => userOf(request),
  });
  defineService({
    handleJoin(_client, state) {
      expectTypeOf(state).toEqualTypeOf<undefined>();
    },
    // @ts-expect-error -- comes too late: the handler above has fixed the type of the state
    init: (service) => ({ name: service.name }),
  });
});

test("the order: schemas, types and params may stand anywhere", () => {
  defineService({
    handleJoin(client, _state, service) {
      client.send({ type: "done" });
      service.publish({ type: "started", id: 1 });
      service.sendAfter({ type: "tick" }, 10);
      expectTypeOf(client.params.id).toEqualTypeOf<string>();
    },
    handleInfo: (message) => {
      expectTypeOf(message).toEqualTypeOf<Tick | Timeout>();
    },
    params: ["id"],
    outgoing: type<StatusEvent>(),
    info: type<Tick>(),
  });
});

test("publish takes a message, or a topic and a message", () => {
  defineService({
    outgoing: type<StatusEvent>(),
    handleJoin(_client, _state, service) {
      service.publish({ type: "done" });
      service.publish("log", { type: "done" });
      // @ts-expect-error -- a topic alone
      service.publish("log");
      // @ts-expect-error -- a topic is a string
      service.publish(1, { type: "done" });
      // @ts-expect-error -- another message
      service.publish("log", { type: "finished" });
    },
  });
});

test("sendAll takes clients from the state, from clients() or from a query", () => {
  defineService({
    outgoing: type<StatusEvent>(),
    init: () => ({ watchers: new Set<Client<StatusEvent>>() }),
    handleJoin(client, { watchers }, service) {
      service.sendAll(watchers, { type: "done" });
      service.sendAll([client], { type: "done" });
      service.sendAll(service.clients(), { type: "done" });
      service.sendAll(watchers.values(), { type: "started", id: 1 });
      service.sendAll([{ id: "stored in a table" }], { type: "done" });
      // @ts-expect-error -- another message
      service.sendAll(watchers, "done");
      // @ts-expect-error -- one client is not a list
      service.sendAll(client, { type: "done" });
    },
  });
});

test("clients() gives the clients of this service, users and params included", () => {
  defineService({
    params: ["id"],
    authorize: (request) => userOf(request),
    outgoing: type<StatusEvent>(),
    handleJoin(_client, _state, service) {
      for (const each of service.clients())
        expectTypeOf(each).toEqualTypeOf<Client<StatusEvent, User, { readonly id: string }>>();
    },
  });
});

test("flush takes the state, or nothing", () => {
  defineService({
    init: () => ({ phase: "idle" as "idle" | "busy" }),
    async handleJoin(_client, state, service) {
      await service.flush();
      await service.flush({ ...state, phase: "busy" });
      // @ts-expect-error -- not a phase
      await service.flush({ ...state, phase: "bsuy" });
      // @ts-expect-error -- not a state
      await service.flush(1);
    },
  });
});

test("a helper function takes any context or client that can take its messages", () => {
  const done = (service: ServiceContext<StatusEvent>): void => service.publish({ type: "done" });
  const greet = (client: Client<StatusEvent>): void => client.send({ type: "started", id: 1 });
  const later = (service: ServiceContext<never, Tick>): unknown =>
    service.sendAfter({ type: "tick" }, 10);
  const nameOf = (service: ServiceContext<never>): string => service.name;
  defineService({
    params: ["id"],
    outgoing: type<StatusEvent>(),
    info: type<Tick>(),
    authorize: (request) => userOf(request),
    init: (service) => ({ name: nameOf(service) }),
    handleJoin(client, _state, service) {
      done(service);
      greet(client);
      later(service);
      nameOf(service);
    },
  });
  defineService({
    handleJoin(client, _state, service) {
      done(service);
      greet(client);
      // @ts-expect-error -- no info is declared
      later(service);
    },
  });
  defineService({
    outgoing: type<{ type: "done" }>(),
    handleJoin(client, _state, service) {
      // @ts-expect-error -- it might publish more than this service's messages
      done(service);
      // @ts-expect-error -- it might send more than this service's messages
      greet(client);
    },
  });
});

test("a misspelt name in the definition is an error, at any depth", () => {
  defineService({
    init: () => 0,
    // @ts-expect-error -- handleJoin
    handelJoin() {},
  });
  defineService({
    // @ts-expect-error -- messages
    history: { mesages: 10 },
  });
  defineService({
    // @ts-expect-error -- an unknown limit
    limits: { maxMailboxMesages: 10 },
  });
  defineService({
    // @ts-expect-error -- request
    calls: { ping: { reqest: undefined } },
  });
  defineService({
    // @ts-expect-error -- response
    calls: { ping: { request: z.string(), respons: z.string() } },
    handleCall: { ping: () => reply() },
  });
  defineService({
    // @ts-expect-error -- "restart" or "keep"
    onCrash: "reset",
  });
});
