import { isUp, type Observed, type ObservedContainer, objectName, type Rlimit } from "../engine/index.ts";
import { type Ended, isNamed, stopGraceMsOf, type Wish } from "../wishes/index.ts";
import { type Lan, planAttach, planAwaitNetmon, planDetach, planSettle } from "./lan.ts";
import { staysEnded, wasStoppedForHealth } from "./pace.ts";
import type { Removal, Step } from "./step.ts";
import { planTrust, type Trust } from "./trust.ts";
import { planOldVolumes, planVolumes } from "./volumes.ts";

/** What else decides: whose objects these are, and what this engine refuses. */
export interface Ground {
  instanceId: string;
  /** The limits that it may not raise. */
  refused: ReadonlySet<Rlimit>;
  /** The containers, by their ids, that it cannot start any more. */
  stuck: ReadonlySet<string>;
}

/** What decides about one runtime beside its wish and its objects. */
export interface Situation extends Ground {
  lan: Lan;
  trust: Trust;
  /** Whether a start must wait: out the pause after an end, or for another runtime. */
  isHeld: boolean;
  /** Whether it is not to be touched now. */
  isLocked: () => boolean;
}

/**
 * The steps from what is to what should be. Nothing is left to do when there are none. A container that runs, as wished, is
 * never touched, whatever else has to be mended around it.
 */
export function plan(wish: Wish, observed: Observed, situation: Situation): Step[] {
  if (wish.desired === "absent") return planAbsent(wish, observed, situation.lan);
  const kept = theContainer(wish, observed, situation);
  const others = observed.containers
    .filter((one) => one !== kept)
    .flatMap((one): Step[] => {
      const reason = kept
        ? "it is a second container of the same runtime"
        : whyReplaced(wish, one, situation);
      const removes: Step = { do: "removeContainer", container: one.id, name: one.name, reason };
      const isReplaced = isUp(one) && one.specHash !== wish.madeHash;
      return isReplaced ? [stopStep(wish.probation?.previous ?? wish, one, reason), removes] : [removes];
    });
  if (wish.desired === "stopped" && wish.stage === "creating") {
    return [...others, ...planRunning(wish, observed, kept, { ...situation, isHeld: true })];
  }
  if (wish.desired === "stopped") {
    if (!kept) return others;
    const stops = isUp(kept) ? [stopStep(wish, kept, "it should be stopped")] : [];
    const attaches = planAttach(wish, kept, kept.name, situation.lan);
    return [
      ...others,
      ...planTrust(wish, kept, situation.trust),
      ...planKeepImage(wish, kept),
      ...stops,
      ...attaches,
    ];
  }
  return [...others, ...planRunning(wish, observed, kept, situation)];
}

/** The container that counts: made from this wish, and the running one when there are several. */
export function theContainer(wish: Wish, observed: Observed, ground: Ground): ObservedContainer | undefined {
  const fitting = observed.containers.filter((one) => isFit(wish, one, ground));
  return fitting.find(isUp) ?? fitting.find(({ id }) => id === wish.containerId) ?? fitting[0];
}

/**
 * What to remove of a runtime that has no wish: only what its remembered end would have removed, had the engine not been
 * late. Anything else may be somebody's work that this state file does not know, and stays.
 */
export function planSweep(ended: Ended, observed: Observed): Removal[] {
  const reason = "its runtime was removed, and the engine finished making it afterwards";
  const isOurs = ({ commandId }: { commandId: string }) => !ended.failure || commandId === ended.commandId;
  const volumes = ended.keepVolume ? [] : observed.volumes.filter(isOurs);
  return removals({ ...observed, volumes }, reason);
}

/** Containers first: what they use cannot be removed before them. */
function removals({ containers, networks, volumes }: Observed, reason: string): Removal[] {
  return [
    ...containers.map(({ id, name }): Removal => ({ do: "removeContainer", container: id, name, reason })),
    ...networks.map(({ id, name }): Removal => ({ do: "removeNetwork", network: id, name, reason })),
    ...volumes.map(({ name }): Removal => ({ do: "removeVolume", volume: name, reason })),
  ];
}

function planRunning(
  wish: Wish,
  observed: Observed,
  kept: ObservedContainer | undefined,
  { instanceId, lan, trust, isHeld, isLocked }: Situation,
): Step[] {
  if (staysEnded(wish)) return kept ? [...planTrust(wish, kept, trust), ...planUntold(wish, kept, lan)] : [];
  if (kept && isUp(kept) && isToEndForHealth(wish, kept) && !isLocked()) {
    return [stopStep(wish, kept, "it is unhealthy, and its wish says that it is restarted then")];
  }
  const awaits = planAwaitNetmon(wish, lan);
  if (awaits.length > 0) return awaits;
  const name = objectName(instanceId, wish.name);
  const isNew = wish.stage === "creating";
  const why = (vanished: string) => (isNew ? "it is created" : `its ${vanished}`);
  // Those that there are go first. One that the engine is removing already was not ours to replace.
  const isReplaced = observed.containers.some(({ state }) => state !== "removing");
  const whyMade = why(isReplaced ? "container is replaced" : "container had vanished");
  const steps: Step[] = [];
  const image: Step = { do: "ensureImage", reason: "its container is made from it" };
  // Its volumes are planned when it is known what its tag means.
  if (!kept && wish.imageId === "") return [image];
  if (!kept) steps.push(image);
  const networks = observed.networks.filter((one) => one.name === name);
  const network =
    networks.find(({ id }) => kept?.networks.some((one) => one.id === id)) ?? networks.find(isRight);
  for (const one of networks.filter((one) => one !== network)) {
    const reason = isRight(one) ? "it is a second network of the same runtime" : "its ports were changed";
    steps.push({ do: "removeNetwork", network: one.id, name, reason });
  }
  if (!network) steps.push({ do: "createNetwork", reason: why("network had vanished") });
  steps.push(...planVolumes(wish, observed, { instanceId, hasContainer: kept !== undefined }));
  const isAttachedNow = kept && isAttached(kept, name, network?.id);
  if (!kept) steps.push({ do: "createContainer", reason: whyMade });
  const isRestart = kept && isUp(kept) && isToRestart(wish, kept);
  if (isRestart) steps.push(stopStep(wish, kept, "a restart was asked for"));
  if (kept && !isAttachedNow) {
    steps.push({ do: "attachNetwork", container: kept.id, reason: "its network had been made again" });
  }
  const container = kept?.id ?? name;
  const isAsked = isNew || isStartAsked(wish, kept) || isNewVersion(wish);
  const verifies = (reason: string): Step[] => [
    ...planSettle(wish, container, lan),
    { do: "verify", container, reason },
  ];
  steps.push(...planAttach(wish, kept, name, lan));
  const isDown = !kept || !isUp(kept);
  if (isRestart || (isDown && !isHeld)) {
    const reason = kept ? whyStarted(wish, kept) : whyMade;
    steps.push({ do: "startContainer", container, isAsked, reason });
    // A new version is judged by all that is seen of it: see `probation.ts`.
    if (isNewVersion(wish)) steps.push(...planSettle(wish, container, lan));
    else if (isAsked) steps.push(...verifies("who asked for it waits until it runs"));
  } else if (isNew && !isDown) {
    steps.push(...verifies("a create waits until it runs"));
  }
  if (kept) steps.push(...planTrust(wish, kept, trust), ...planKeepImage(wish, kept));
  if (kept) steps.push(...planLimits(wish, kept), ...planOldVolumes(wish, observed, instanceId));
  return steps;

  /** The engine publishes nothing from an internal network: see `networkOptions`. */
  function isRight({ isInternal }: { isInternal: boolean }): boolean {
    return isInternal === (wish.spec.ports.length === 0);
  }
}

/** What was changed in place of a program that has ended, and stays so. */
function planUntold(wish: Wish, kept: ObservedContainer, lan: Lan): Step[] {
  const attaches = wish.untold.includes("vnics") ? planAttach(wish, kept, kept.name, lan) : [];
  return [...attaches, ...planLimits(wish, kept)];
}

/** Limits that were changed while it goes on. */
function planLimits({ untold }: Wish, { id }: ObservedContainer): Step[] {
  if (!untold.includes("limits")) return [];
  return [{ do: "setLimits", container: id, reason: "its limits were changed" }];
}

/** Whether it is an update's first start. */
function isNewVersion({ probation, started }: Wish): boolean {
  return probation?.isSwap === true && started === "";
}

/** A wish from before images were kept: its container is made again from the same one. */
function planKeepImage({ imageId, stage }: Wish, kept: ObservedContainer): Step[] {
  if (imageId !== "" || stage !== "made") return [];
  return [{ do: "keepImage", imageId: kept.imageId, reason: "a restart must not change what runs" }];
}

function planAbsent(wish: Wish, observed: Observed, lan: Lan): Step[] {
  const isUndone = wish.stage === "undoing";
  const reason = isUndone ? "creating it failed" : "it is deleted";
  // A volume that another command made is a user's data, taken up by the create that failed.
  const isToGo = ({ commandId }: { commandId: string }) =>
    isUndone ? commandId === wish.commandId : !wish.keepVolume;
  const stops = isUndone ? [] : observed.containers.filter(isUp).map((one) => stopStep(wish, one, reason));
  const removed = removals({ ...observed, volumes: observed.volumes.filter(isToGo) }, reason);
  // Leases are given back while the link is there.
  return [...planDetach(wish, lan, reason), ...stops, ...removed, { do: "forget", reason }];
}

function stopStep({ spec }: Pick<Wish, "spec">, { id }: ObservedContainer, reason: string): Step {
  return { do: "stopContainer", container: id, graceMs: stopGraceMsOf(spec), reason };
}

/** Whether it can be kept: a container that runs is, even with a limit that could not be had today. */
function isFit(wish: Wish, one: ObservedContainer, { refused, stuck }: Ground): boolean {
  if (one.specHash !== wish.madeHash || one.state === "dead" || one.state === "removing") return false;
  return isUp(one) || (!stuck.has(one.id) && unfit(wish, one, refused).length === 0);
}

function whyReplaced(wish: Wish, one: ObservedContainer, { refused, stuck }: Ground): string {
  if (one.specHash !== wish.madeHash) return "it was made from another spec";
  if (one.state === "dead" || one.state === "removing") return `the engine calls it ${one.state}`;
  if (stuck.has(one.id)) return "the engine died while it started it, and cannot start it any more";
  return `it asks for ${unfit(wish, one, refused).join(" and ")}, which the engine may not raise on this machine`;
}

/** Limits of its profile that it asks for and that the engine refuses. */
function unfit({ spec }: Wish, { rlimits }: ObservedContainer, refused: ReadonlySet<Rlimit>): string[] {
  // Any string may be asked of the set.
  return rlimits.filter((limit) => refused.has(limit as Rlimit) && !isNamed(spec, limit));
}

/** A restart is over when the container has another start than the one that it was asked of. */
function isToRestart(wish: Wish, { startedAt }: ObservedContainer): boolean {
  return wish.restartOf !== "" && wish.restartOf === startedAt;
}

/** Likewise one that is ended for its health. */
function isToEndForHealth({ unhealthyStart }: Wish, { startedAt }: ObservedContainer): boolean {
  return unhealthyStart !== "" && unhealthyStart === startedAt;
}

/** Whether a command asked for the start of a made runtime: else it ended or vanished on its own. */
function isStartAsked(wish: Wish, kept: ObservedContainer | undefined): boolean {
  return kept !== undefined && (isToRestart(wish, kept) || !wish.endedByItself);
}

function whyStarted(wish: Wish, kept: ObservedContainer): string {
  if (isToRestart(wish, kept)) return "a restart was asked for";
  if (kept.state === "created") return "it was made and not started";
  if (!wish.endedByItself) return "a start was asked for";
  if (wasStoppedForHealth(wish)) return "it had been stopped because it was unhealthy";
  return `it had ended on its own${wish.exitCode === undefined ? "" : ` with exit code ${wish.exitCode}`}`;
}

/** A container that never started knows its network only by name, and the engine finds it when it starts. */
function isAttached(container: ObservedContainer, name: string, id: string | undefined): boolean {
  const endpoint = container.networks.find((one) => one.name === name);
  return endpoint !== undefined && (endpoint.id === "" || endpoint.id === id);
}
