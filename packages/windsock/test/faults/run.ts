// The fault runs in their long form:
// `node --conditions=@windsock/source packages/windsock/test/faults/run.ts --cuts 100 --kills 10`
import { parseArgs } from "node:util";
import { faultRun } from "./fault-run.ts";

const { values } = parseArgs({
  options: {
    cuts: { type: "string", default: "100" },
    kills: { type: "string", default: "10" },
    stops: { type: "string", default: "2" },
    clients: { type: "string", default: "10" },
    seed: { type: "string", default: String(Math.trunc(Math.random() * 2 ** 31)) },
  },
});

const options = {
  cuts: Number(values.cuts),
  kills: Number(values.kills),
  stops: Number(values.stops),
  clients: Number(values.clients),
  seed: Number(values.seed),
};
console.log(`seed ${options.seed}`);
const { faults, figures } = await faultRun({ ...options, log: (line) => console.log(line) });
console.table(figures);
for (const fault of faults) console.error(fault);
if (faults.length > 0) {
  console.error(`${faults.length} faults. Again: --seed ${options.seed}`);
  process.exitCode = 1;
} else console.log("Nothing was lost, repeated or out of order.");
