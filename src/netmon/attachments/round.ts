import { VnicPhase } from "../../../gen/edge/v1/vnics_pb.ts";
import { asFailure, type Failure } from "../../base/failure.ts";
import { withoutPrefix } from "../../wire/subnet.ts";
import { announce, hasOwnRoot, type Inside, Netns, type Owner, observe } from "../namespaces/index.ts";
import { apply } from "./apply.ts";
import { stopClient } from "./clients.ts";
import { leaveDevices, roundOfDevices, wakeWaiting } from "./devices.ts";
import { nextLookMs } from "./due.ts";
import { type Bench, returnNics, takeLinkAway } from "./links.ts";
import { findParent, lanSide, whyOtherLan } from "./parent.ts";
import { plan } from "./plan.ts";
import { isLeased } from "./plan-link.ts";
import { freeMs } from "./probe.ts";
import { fail } from "./problem.ts";
import { record } from "./record.ts";
import type { Plan, Situation, Step } from "./situation.ts";
import { knownOf, lifeOf, newTendedVnic, type Tended } from "./tended.ts";
import type { Aspect } from "./told.ts";
import type { Tools } from "./tools.ts";

type ReasonsByVnic = Map<string, Map<Aspect, string>>;

/** Looks at the steps' outcome again so often: a plan that still has steps then waits for the next round. */
const maxTurns = 5;

/**
 * Brings one owner's vNICs to what they should be: looks, plans, does, and looks again until nothing is left to do. What fails
 * of one vNIC does not keep the others.
 */
export async function round(tended: Tended, tools: Tools, signal: AbortSignal): Promise<void> {
  await enter(tended, tools, signal);
  await roundOfDevices(tended, tools, signal);
  const reasons: ReasonsByVnic = new Map();
  let planned = await turn(tended, tools, signal);
  for (let turns = 1; planned.steps.length > 0 && tended.netns && turns <= maxTurns; turns++) {
    await carryOut(planned.steps, { tools, tended, netns: tended.netns, signal }, reasons);
    planned = await turn(tended, tools, signal);
  }
  const { standings } = planned;
  tended.standings = standings;
  forgive(tended, standings, tools);
  const due = nextLookMs(tended, planned, tools.clock);
  if (due !== undefined) tools.wakeAfter(tended, due);
  record(tended, { standings, reasons }, tools);
  if (tended.netns?.isAlive === false) tools.wake(tended); // It ended meanwhile, and what it had is to be taken away.
  // What was asked for is done; what happens from now on happens by itself.
  const isDone = tended.hasFiles && !standings.some(({ isPending }) => isPending);
  if (tended.netns && isDone) tended.requestId = "";
}

/** Goes to where the container runs now, and leaves where it ran before. */
async function enter(tended: Tended, tools: Tools, signal: AbortSignal): Promise<void> {
  const { netns, process } = tended;
  const isOther = netns && (!process || lifeOf(process) !== lifeOf(netns.owner));
  if (netns && (isOther || !netns.isAlive)) await leave(tended, tools, signal);
  if (!tended.netns) await returnNics(tended, tools, signal);
  if (!tended.netns && process) await enterAnew(tended, process, tools);
  if (tended.netns && !tended.hasFiles) tended.hasFiles = await hasOwnRoot(tended.netns.owner);
}

async function enterAnew(tended: Tended, process: Owner, tools: Tools): Promise<void> {
  try {
    tended.netns = await Netns.open(process);
    tended.absence = "";
  } catch (thrown) {
    const { kind, message } = asFailure(thrown);
    if (kind !== "not_found" && kind !== "conflict") throw thrown;
    // It ended already, or is just being made: whoever looks for it finds it again.
    tools.log.debug({ owner: tended.attachment.owner, error: thrown }, "a container cannot be entered yet");
    tended.process = undefined;
    tended.absence = kind === "conflict" ? message : "";
    return;
  }
  tended.nameServers = "";
  tended.hasFiles = false;
  if (tended.displaced?.life !== lifeOf(process)) tended.displaced = undefined;
}

/**
 * Ends what was in a container's network namespace. The links are removed although the kernel would do so in time: it takes its
 * time, and until then nobody else may have their MACs.
 */
export async function leave(tended: Tended, tools: Tools, signal: AbortSignal): Promise<void> {
  const { netns } = tended;
  if (!netns) return;
  await leaveDevices(tended, tools, signal);
  for (const [name, vnic] of tended.vnics) {
    await stopClient(vnic);
    await takeLinkAway(name, vnic, { tools, tended, netns, signal }).catch((error: unknown) => {
      signal.throwIfAborted();
      tools.log.warn({ owner: tended.attachment.owner, vnic: name, error }, "a link could not be taken away");
    });
  }
  tended.netns = undefined;
  tended.process = undefined;
  wakeWaiting(tended, tools);
  await netns[Symbol.asyncDispose]();
}

/** Tells of a round that could not be done at all. */
export function failAll(tended: Tended, { message }: Failure, tools: Tools): void {
  const isNew = tended.standings.length !== tended.attachment.vnics.length;
  const last = isNew ? plan(situationOf(tended, undefined, tools)).standings : tended.standings;
  const failed = last.map((one) => ({ ...one, phase: VnicPhase.FAILED, reason: message }));
  record(tended, { standings: failed, reasons: new Map() }, tools);
}

/** Looks, and plans. */
async function turn(tended: Tended, tools: Tools, signal: AbortSignal): Promise<Plan> {
  const inside = tended.netns?.isAlive ? await observe(tended.netns.place, signal) : undefined;
  const elapsed = tools.clock.elapsed();
  const { vnics } = tended.attachment;
  for (const { name } of vnics) if (!tended.vnics.has(name)) tended.vnics.set(name, newTendedVnic());
  if (inside) remember(tended, inside, elapsed);
  await heedParents(tended, inside, tools, signal);
  return plan(situationOf(tended, inside, tools));
}

function situationOf(tended: Tended, inside: Inside | undefined, { clock, picture }: Tools): Situation {
  const { vnics } = tended.attachment;
  const wanted = new Set(vnics.map(({ name }) => name));
  const elapsed = clock.elapsed();
  return {
    ...{ vnics, inside, picture: picture(), now: clock.now(), absence: tended.absence },
    known: new Map([...tended.vnics].map(([name, vnic]) => [name, knownOf(vnic, elapsed)])),
    gone: [...tended.told.keys()].filter((name) => !wanted.has(name)),
    ...{ hasFiles: tended.hasFiles, nameServers: tended.nameServers, displaced: tended.displaced },
  };
}

/** An address that is on a link of ours is nobody else's. */
function remember(tended: Tended, inside: Inside, elapsed: number): void {
  for (const [name, vnic] of tended.vnics) {
    const link = inside.links.find((one) => one.name === name);
    const address = link?.addresses.find(({ family, isLinkLocal }) => family === "ipv4" && !isLinkLocal);
    if (address) vnic.free.set(withoutPrefix(address.address), elapsed + freeMs);
    for (const [host, until] of vnic.free) if (until <= elapsed) vnic.free.delete(host);
  }
}

/** What a parent's change means beyond the plan: leases are asked for anew, and fixed addresses are told to who is there now. */
async function heedParents(
  tended: Tended,
  inside: Inside | undefined,
  { picture, log }: Tools,
  signal: AbortSignal,
): Promise<void> {
  for (const wish of tended.attachment.vnics) {
    const vnic = tended.vnics.get(wish.name);
    if (!vnic) continue;
    const [before, parent] = [vnic.parent, findParent(wish, picture())];
    vnic.parent = parent;
    const why = whyOtherLan(before, parent);
    if (before?.index !== parent?.index) vnic.upon = undefined;
    if (why === undefined) continue;
    // What failed in another LAN may do in this one.
    vnic.problem = undefined;
    vnic.slaacSince = undefined;
    vnic.client?.askAgain(why);
    if (isLeased(wish) || before?.carrier || !tended.netns) continue;
    const link = inside?.links.find(({ name }) => name === wish.name);
    for (const { address, family } of link?.addresses ?? []) {
      if (family !== "ipv4") continue;
      await announce({ ...lanSide(wish, picture(), tended.netns.place), address, signal }).catch(
        (error: unknown) => {
          signal.throwIfAborted();
          log.warn({ vnic: wish.name, error }, "an address could not be announced");
        },
      );
    }
  }
}

/** Does the steps in their order; with the first that fails of a vNIC, the rest of that vNIC's wait. */
async function carryOut(steps: readonly Step[], bench: Bench, reasons: ReasonsByVnic): Promise<void> {
  const { tended, tools, netns, signal } = bench;
  const { owner } = tended.attachment;
  const failed = new Set<string>();
  for (const step of steps) {
    const { vnic: name, reason } = step;
    if (failed.has(name)) continue;
    try {
      await apply(step, bench);
      tools.log.debug({ owner, step }, "done");
    } catch (error) {
      signal.throwIfAborted();
      if (!netns.isAlive) return; // It ended meanwhile, which is no failure of the vNIC's.
      failed.add(name);
      tools.log.warn({ owner, step, error }, "a step of a vNIC failed");
      const vnic = tended.vnics.get(name);
      if (vnic) fail(vnic, { reason: asFailure(error).message }, tools);
    }
    const of = aspects[step.do];
    if (of) reasons.set(name, (reasons.get(name) ?? new Map<Aspect, string>()).set(of, reason));
  }
}

const aspects: Partial<Record<Step["do"], Aspect>> = {
  makeLink: "link",
  addAddress: "address",
  replaceRoute: "route",
};

/** What works again is forgiven. */
function forgive({ vnics }: Tended, standings: Plan["standings"], { clock }: Tools): void {
  for (const { vnic: wish, isPending } of standings) {
    const vnic = vnics.get(wish.name);
    if (vnic?.problem && !isPending && vnic.problem.retryAt <= clock.elapsed()) vnic.problem = undefined;
  }
}
