import { onTestFinished } from "vitest";
import type { Server } from "windsock";
import { hashToken, newToken } from "../../src/auth/auth.ts";
import { hashPassword } from "../../src/auth/password.ts";
import type { Role } from "../../src/auth/role.ts";
import { createAutobuild, type Autobuild } from "../../src/autobuild.ts";
import { startServer, type StartServerOptions } from "../../src/server.ts";
import { AccountStore } from "../../src/store/account-store.ts";
import { openDatabase } from "../../src/store/database.ts";
import { temporaryFolder } from "./temporary.ts";

export const password = "correct horse battery";

export interface DoorsOptions extends Partial<StartServerOptions> {
  readonly repositories?: readonly string[];
  /** Names of tokens to make, with their roles. @default one for each role: `viewer`, `builder`, `admin` */
  readonly tokens?: Readonly<Record<string, Exclude<Role, "none">>>;
}

/** An AutoBuild with its HTTP and WebSocket doors on a free port, and tokens for them. */
export class Doors {
  readonly autobuild: Autobuild;
  readonly server: Server;
  readonly dataDir: string;
  readonly accounts: AccountStore;
  readonly tokens: Readonly<Record<string, string>>;

  private constructor(
    autobuild: Autobuild,
    server: Server,
    dataDir: string,
    accounts: AccountStore,
    tokens: Record<string, string>,
  ) {
    this.autobuild = autobuild;
    this.server = server;
    this.dataDir = dataDir;
    this.accounts = accounts;
    this.tokens = tokens;
  }

  static async open({ repositories = [], tokens, ...options }: DoorsOptions = {}): Promise<Doors> {
    const dataDir = temporaryFolder();
    const database = openDatabase(dataDir);
    onTestFinished(() => database.close());
    const accounts = new AccountStore(database);
    const made: Record<string, string> = {};
    const wanted = tokens ?? { viewer: "viewer", builder: "builder", admin: "admin" };
    for (const [name, role] of Object.entries(wanted)) {
      made[name] = newToken();
      accounts.addToken({ name, role, hash: hashToken(made[name]), expiresMs: null }, Date.now());
    }
    const autobuild = createAutobuild({
      dataDir,
      repositories,
      localPollMs: 200,
      stopBuilds: true,
    });
    const server = await startServer(autobuild, {
      host: "127.0.0.1",
      port: 0,
      anonymous: "none",
      ...options,
    });
    onTestFinished(async () => {
      await server.stop();
      await autobuild.stop();
    });
    return new Doors(autobuild, server, dataDir, accounts, made);
  }

  async addUser(name: string, role: Exclude<Role, "none">): Promise<void> {
    this.accounts.saveUser(name, role, await hashPassword(password), Date.now());
  }

  /** A request as that token; without one as somebody who has not logged in. */
  fetch(
    path: string,
    { token, ...init }: RequestInit & { token?: string } = {},
  ): Promise<Response> {
    const headers = new Headers(init.headers);
    if (token !== undefined) headers.set("Authorization", `Bearer ${this.tokens[token] ?? token}`);
    return fetch(this.server.url + path, { redirect: "manual", ...init, headers });
  }

  /** Logs in as a page does. Gives the cookie, or "". */
  async login(name: string, secret: string): Promise<string> {
    const answer = await this.fetch("/login", {
      method: "POST",
      headers: { Origin: this.server.url },
      body: new URLSearchParams({ name, password: secret, next: "/" }),
    });
    return answer.headers.get("set-cookie")?.split(";")[0] ?? "";
  }
}
