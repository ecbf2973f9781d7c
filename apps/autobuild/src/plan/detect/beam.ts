import { inSequence, step } from "../plan.ts";
import type { Detector } from "./detector.ts";

/** Elixir with Mix, Erlang with Rebar. */
export const beam = {
  files: ["mix.exs", "rebar.config"],
  async detect(checkout) {
    if (await checkout.hasFile("mix.exs"))
      return inSequence("found mix.exs: fetch what it depends on, compile and test", [
        step("deps", "mix", "deps.get"),
        step("compile", "mix", "compile"),
        step("test", "mix", "test"),
      ]);
    if (!(await checkout.hasFile("rebar.config"))) return undefined;
    const rebar = (await checkout.isExecutable("rebar3")) ? "./rebar3" : "rebar3";
    return inSequence("found rebar.config: compile and run EUnit", [
      step("compile", rebar, "compile"),
      step("test", rebar, "eunit"),
    ]);
  },
} satisfies Detector;
