import { defineService, type } from "windsock";

export default defineService({ outgoing: type<{ readonly waiting: number }>() });
