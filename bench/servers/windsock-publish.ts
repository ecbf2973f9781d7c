// Windsock's own way: a service without `handleBroadcast` publishes what is broadcast.
import { benchService } from "./bench-service.ts";
import { serve } from "./control.ts";
import { startWindsock } from "./windsock.ts";

const isLogLong = process.argv[2] === "slow";

await serve(() => startWindsock(benchService({ durable: false, isLogLong })));
