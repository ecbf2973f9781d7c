import { afterEach } from "vitest";
import {
  createServer,
  type Report,
  type Server,
  type ServerOptions,
  type Service,
} from "../src/index.ts";
import { PlainClient, VirtualClock, type PlainClientOptions } from "../src/testing/index.ts";

const running: Served[] = [];

afterEach(async () => {
  for (const served of running.splice(0)) {
    served.clock.speed();
    await served.server.stop();
  }
});

/** A real server on a free port, in virtual time. */
export interface Served {
  readonly server: Server;
  readonly clock: TestClock;
  /** What it reported so far. */
  readonly reports: Report[];
  /** Opens a plain WebSocket to `/websocket/<path>`. */
  readonly open: (path?: string, options?: PlainClientOptions) => Promise<PlainClient>;
}

/** Virtual until the test is over; then its timers run by themselves, so that a drain ends. */
class TestClock extends VirtualClock {
  speed(): void {
    const timer = setInterval(() => void this.advance(1000), 5);
    timer.unref();
  }
}

/** Starts a server with these services, or with one called `status`. It stops after the test. */
export async function serve(
  services: Service | Readonly<Record<string, Service>>,
  options: Omit<ServerOptions, "services" | "clock"> = {},
): Promise<Served> {
  const clock = new TestClock();
  const reports: Report[] = [];
  const byName =
    "kind" in services && typeof services.kind === "string"
      ? { status: services as Service }
      : (services as Record<string, Service>);
  const server = await createServer({
    port: 0,
    onReport: (report) => reports.push(report),
    ...options,
    services: byName,
    clock,
  });
  const served: Served = {
    server,
    clock,
    reports,
    open: (path = "status", how = {}) => PlainClient.open(`${server.url}/websocket/${path}`, how),
  };
  running.push(served);
  return served;
}
