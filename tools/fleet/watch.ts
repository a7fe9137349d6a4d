/** What a fleet and its hub do, looked at now and then. */
import { cpuMs } from "../measure/cpu.ts";
import { memoryOf } from "../measure/memory.ts";
import { quantile } from "../measure/spread.ts";
import type { Asked } from "./operators.ts";
import type { Shares } from "./shares.ts";

export interface Look {
  /** Seconds since the first look. */
  at: number;
  up: number;
  beatsPerSecond: number;
  answeredPerSecond: number;
  failed: number;
  p50Ms: number;
  p99Ms: number;
  losses: number;
  /** Of the hub, where it is ours. */
  hub: { residentMb: number; coresUsed: number } | undefined;
}

/** Looks at the time since the look before. */
export function watcher(shares: Shares, asked: Asked, hubPid: () => number | undefined): () => Promise<Look> {
  const startedAt = performance.now();
  let before = { at: startedAt, beats: 0, answered: 0, cpu: 0 };
  return async () => {
    const at = performance.now();
    const pid = hubPid();
    const cpu = pid === undefined ? 0 : await cpuMs(pid);
    const { beats } = shares.counts;
    const { answered, failed } = asked;
    const seconds = (at - before.at) / 1000;
    const newest = asked.latenciesMs.slice(-Math.max(1, answered - before.answered));
    const look: Look = {
      ...{ at: (at - startedAt) / 1000, up: shares.up.size, failed, losses: shares.counts.losses },
      beatsPerSecond: (beats - before.beats) / seconds,
      answeredPerSecond: (answered - before.answered) / seconds,
      p50Ms: quantile(newest, 0.5),
      p99Ms: quantile(newest, 0.99),
      hub:
        pid === undefined
          ? undefined
          : { residentMb: (await memoryOf(pid)).residentMb, coresUsed: (cpu - before.cpu) / 1000 / seconds },
    };
    before = { at, beats, answered, cpu };
    return look;
  };
}

/** One line of it. */
export function lineOf(look: Look, nodes: number): string {
  const commands =
    look.answeredPerSecond > 0
      ? `  commands ${look.answeredPerSecond.toFixed(0)}/s (p50 ${look.p50Ms.toFixed(0)} ms, p99 ${look.p99Ms.toFixed(0)} ms)`
      : "";
  const failed = look.failed > 0 ? `  ${look.failed} failed` : "";
  const hub = look.hub
    ? `  hub ${look.hub.residentMb.toFixed(0)} MB, ${(look.hub.coresUsed * 100).toFixed(0)}% of a core`
    : "";
  return `${look.at.toFixed(0).padStart(5)} s  ${look.up} of ${nodes} up  beats ${look.beatsPerSecond.toFixed(0)}/s${commands}${failed}${hub}`;
}
