// The process of a `PlanningProcess`: the question comes on standard input, the answer goes to descriptor 3.
import { writeSync } from "node:fs";
import { text } from "node:stream/consumers";
import { AutobuildError } from "../errors.ts";
import { findPlan } from "./find-plan.ts";
import type { PlanAnswer, PlanQuestion } from "./planner.ts";
import { systemTools } from "./tools.ts";

const question = await text(process.stdin);
// Who would have asked has gone.
if (question === "") process.exit(1);
const answer = Buffer.from(JSON.stringify(await answerTo(JSON.parse(question) as PlanQuestion)));
for (let written = 0; written < answer.length;) written += writeSync(3, answer, written);
process.exit(0);

async function answerTo({ folder, context }: PlanQuestion): Promise<PlanAnswer> {
  try {
    return { type: "planned", plan: await findPlan(folder, systemTools, context) };
  } catch (error) {
    if (!(error instanceof AutobuildError)) throw error;
    return { type: "refused", code: error.code, message: error.message };
  }
}
