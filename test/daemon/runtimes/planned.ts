/** A runtime to plan for: its wish, what the engine has of it, and the steps in short. */
import { Health } from "../../../gen/edge/v1/workloads_pb.ts";
import type { Observed, ObservedContainer } from "../../../src/daemon/engine/observed.ts";
import { plan, type Situation } from "../../../src/daemon/runtimes/plan.ts";
import { hashOf } from "../../../src/daemon/wishes/spec.ts";
import type { Wish } from "../../../src/daemon/wishes/wish.ts";
import { spec } from "./life.ts";

export const plc = spec("plc:1", { name: "plc1" });
export const name = "edge-0123abcd-plc1";
export const ground: Situation = {
  ...{
    instanceId: "0123abcdef",
    refused: new Set(),
    stuck: new Set(),
    trust: undefined,
    isHeld: false,
    isLocked: () => false,
  },
  lan: { netmon: { at: "unknown" }, isPaused: false },
};

export const wish = (init: Partial<Wish> = {}): Wish => ({
  ...{ name: "plc1", spec: plc, specHash: hashOf(plc), desired: "running", stage: "made", keepVolume: false },
  ...{
    madeHash: init.specHash ?? hashOf(plc),
    probation: undefined,
    probationUsedMs: 0,
    untold: [],
    oldVolumes: [],
  },
  ...{
    commandId: "c1",
    actingCommandId: "c1",
    createdAt: 0,
    restarts: 0,
    oomKills: 0,
    imageId: "sha256:1",
    imageDigest: "",
    profileVersion: 1,
    restartCommandId: "",
    restartOf: "",
  },
  ...{ containerId: "one", started: "", ended: "", endedByItself: false, exitCode: undefined, removing: [] },
  ...{ endsInARow: 0, unhealthyStart: "", health: Health.UNSPECIFIED, answered: false },
  failure: undefined,
  ...init,
});

export const container = (init: Partial<ObservedContainer> = {}): ObservedContainer => ({
  ...{ id: "one", name, state: "running", specHash: hashOf(plc), imageId: "sha256:1", startedAt: "s1" },
  ...{ createdAt: "2026-11-21T10:00:00.5Z", isReplacement: false, pid: 0 },
  ...{ finishedAt: "", exitCode: 0, outOfMemory: false, health: undefined, restartPolicy: "no", rlimits: [] },
  networks: [{ name, id: "net", address: "172.18.0.2", mac: "02:42:ac:12:00:02" }],
  ...init,
});

export const all = (...containers: ObservedContainer[]): Observed => ({
  containers,
  networks: [{ id: "net", name, isInternal: true }],
  volumes: [{ name, commandId: "c1" }],
});

/** The steps in short, with what they are done to. */
export function steps(init: Partial<Wish>, observed: Observed, on: Situation = ground): string[] {
  return plan(wish(init), observed, on).map((step) => {
    const on = "container" in step ? step.container : "";
    return `${step.do} ${on}`.trim();
  });
}
