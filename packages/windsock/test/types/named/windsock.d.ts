// The names of the services in ./websocket/. Windsock writes this file: changes to it are lost.
declare module "windsock" {
  interface Services {
    build: typeof import("./websocket/build.ts").default;
    "games/ping": typeof import("./websocket/games/ping.ts").default;
    "games/pong": typeof import("./websocket/games/pong.ts").default;
    "room/[id]": typeof import("./websocket/room/[id].ts").default;
    "room/[id]/log": typeof import("./websocket/room/[id]/log.ts").default;
    "room/lobby": typeof import("./websocket/room/lobby.ts").default;
    status: typeof import("./websocket/status.ts").default;
  }
}
export {};
