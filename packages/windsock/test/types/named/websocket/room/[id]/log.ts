import { defineService, type } from "windsock";

export default defineService({
  params: ["id"],
  outgoing: type<{ readonly line: number }>(),
});
