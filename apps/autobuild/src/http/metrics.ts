import { performance, type EventLoopUtilization } from "node:perf_hooks";
import type { Autobuild } from "../autobuild.ts";
import { readServerState } from "./server-state.ts";

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number];

const namespace = "autobuild";

/**
 * How AutoBuild does, in the text format of Prometheus (version 0.0.4).
 *
 * Written by hand: a dozen gauges that are read off when somebody asks need no registry.
 */
export class Metrics {
  readonly #autobuild: Autobuild;
  /** Counted by the event loop itself: a server that idles is not woken for it. */
  #loop: EventLoopUtilization = performance.eventLoopUtilization();
  readonly #ended = new Map<string, number>();
  #endedSeconds = 0;

  constructor(autobuild: Autobuild) {
    this.#autobuild = autobuild;
    const counted = new Set<number>();
    autobuild.on("buildChanged", ({ id, state, durationMs, finishedMs }) => {
      if (finishedMs === null || counted.has(id)) return;
      // An end may be told more than once; among the newest thousand it is known again.
      counted.add(id);
      for (const oldest of counted) {
        if (counted.size <= 1000) break;
        counted.delete(oldest);
      }
      this.#ended.set(state, (this.#ended.get(state) ?? 0) + 1);
      this.#endedSeconds += (durationMs ?? 0) / 1000;
    });
  }

  text(): string {
    const nowMs = Date.now();
    const state = readServerState(this.#autobuild, nowMs);
    const repositories = this.#autobuild.builds.repositories();
    const { rss, heapUsed } = process.memoryUsage();
    const { user, system } = process.cpuUsage();
    const loop = performance.eventLoopUtilization();
    const busy = performance.eventLoopUtilization(loop, this.#loop).utilization;
    this.#loop = loop;
    const states = ["passed", "failed", "cancelled", "lost"];
    const lines = [
      metric(
        "builds_ended_total",
        "counter",
        "Builds that have ended since the start",
        states.map((each) => [{ state: each }, this.#ended.get(each) ?? 0]),
      ),
      metric("build_seconds_total", "counter", "Time that ended builds took", [
        [{}, this.#endedSeconds],
      ]),
      metric("builds_running", "gauge", "Builds that run", [[{}, state.buildsRunning]]),
      metric("builds_queued", "gauge", "Builds that wait", [[{}, state.buildsQueued]]),
      metric("queue_oldest_seconds", "gauge", "How long the one that waits longest has waited", [
        [{}, state.oldestQueuedSeconds],
      ]),
      metric(
        "repository_up",
        "gauge",
        "Whether the last look at a repository went well",
        repositories.map(({ label, state }) => [
          { repository: label },
          state.type === "unreachable" ? 0 : 1,
        ]),
      ),
      metric(
        "data_free_bytes",
        "gauge",
        "Room on the disk that holds the data folder",
        state.dataFreeBytes === null ? [] : [[{}, state.dataFreeBytes]],
      ),
      metric("data_writable", "gauge", "Whether the data folder may be written", [
        [{}, state.isDataFolderWritable ? 1 : 0],
      ]),
      metric("data_has_room", "gauge", "Whether there is room to start builds", [
        [{}, state.hasRoom ? 1 : 0],
      ]),
      metric(
        "event_loop_utilization",
        "gauge",
        "Share of its time that the server was busy since the last look",
        [[{}, busy]],
      ),
      metric("process_resident_bytes", "gauge", "Memory of the server", [[{}, rss]]),
      metric("process_heap_bytes", "gauge", "Of it, JavaScript objects", [[{}, heapUsed]]),
      metric("process_cpu_seconds_total", "counter", "Processor time of the server", [
        [{}, (user + system) / 1e6],
      ]),
      metric("process_start_seconds", "gauge", "When it was started, since 1970", [
        [{}, nowMs / 1000 - process.uptime()],
      ]),
    ];
    return lines.join("");
  }
}

function metric(
  name: string,
  type: "counter" | "gauge",
  help: string,
  samples: readonly Sample[],
): string {
  const full = `${namespace}_${name}`;
  const lines = samples.map(([labels, value]) => `${full}${labelsText(labels)} ${value}`);
  return `# HELP ${full} ${help}\n# TYPE ${full} ${type}\n${lines.map((line) => `${line}\n`).join("")}`;
}

function labelsText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll('"', '\\"');
}
