import { type Device, DevicePhase } from "../../../gen/edge/v1/devices_pb.ts";
import { asFailure } from "../../base/failure.ts";
import type { Logger } from "../../base/log.ts";
import { type DeviceNumber, type Found, numberText } from "../../wire/device-path.ts";
import { pathInside } from "../../wire/devices.ts";
import { isAlive, type Owner } from "../namespaces/index.ts";
import { DevFolder } from "./folder.ts";
import type { Group, Rule } from "./group.ts";
import { type DeviceInside, type DevicePlan, type DeviceStanding, type Made, planDevice } from "./plan.ts";
import { findGroup } from "./rights.ts";

/** A container that runs, in one of its lives. */
export interface Container {
  readonly owner: Owner;
  readonly life: string;
}

/** What devices of one container are looked after with. */
export interface DeviceTools {
  /** Where the node's /dev is. */
  readonly devFolder: string;
  /** What a wish's path leads to on the node now. */
  readonly find: (wish: Device) => Found;
  /** The runtime by which a device is used that this one may not use beside it. */
  readonly takenBy: (wish: Device, number: DeviceNumber) => string | undefined;
  /** What was made of each device, by its path on the node. */
  readonly made: ReadonlyMap<string, Made>;
  /** Keeps what is about to be made, on disk; without it, forgets what was. */
  readonly keep: (nodePath: string, made: Made | undefined) => void;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Looks at the steps' outcome again so often; then somebody works against it, and the next round goes on. */
const maxTurns = 3;

/**
 * Brings the devices of one container to what they should be: looks, plans, does, and looks again until nothing is left to do.
 * What fails of one does not keep the others. Without a container it only tells what there is.
 */
export async function tendDevices(
  wishes: readonly Device[],
  container: Container | undefined,
  tools: DeviceTools,
): Promise<DeviceStanding[]> {
  forgetOtherLives(container, tools);
  let standings: DeviceStanding[] = [];
  for (let turn = 1; turn <= maxTurns; turn++) {
    await using inside = container && (await look(container, tools));
    const unwanted = [...tools.made.keys()].filter((one) => !wishes.some(({ nodePath }) => nodePath === one));
    for (const nodePath of unwanted) if (inside) await take(nodePath, inside, tools);
    const failed = new Map<string, string>();
    const plans: DevicePlan[] = [];
    for (const wish of wishes) plans.push(await carryOut(wish, inside, tools, failed));
    standings = plans.map(({ standing }) => {
      const reason = failed.get(standing.wish.nodePath);
      return reason === undefined ? standing : { ...standing, phase: DevicePhase.REFUSED, reason };
    });
    if (container && !isAlive(container.owner)) return await tendDevices(wishes, undefined, tools);
    // A right that was taken may be another device's, too, which has another name for it.
    const isDone = unwanted.length === 0 && !plans.some((plan) => plan.take || plan.give);
    if (failed.size > 0 || isDone) break;
  }
  return standings;
}

/** Takes all away that was made in a container. */
export async function takeDevicesAway(container: Container, tools: DeviceTools): Promise<void> {
  if (tools.made.size > 0) await tendDevices([], container, tools);
}

/** The /dev of a new life has nothing of the one before. */
function forgetOtherLives(container: Container | undefined, { made, keep }: DeviceTools): void {
  for (const [path, { life }] of [...made]) {
    if (container && life !== container.life) keep(path, undefined);
  }
}

/** What is open of a container while its devices are looked after. */
interface Inside extends AsyncDisposable {
  readonly life: string;
  readonly folder: DevFolder | undefined;
  readonly group: Group | undefined;
  readonly rules: readonly Rule[];
  /** Why nothing can be given to it; empty when it can. */
  readonly problem: string;
}

async function look({ owner, life }: Container, { devFolder, signal }: DeviceTools): Promise<Inside> {
  let folder: DevFolder | undefined;
  let group: Group | undefined;
  let rules: readonly Rule[] = [];
  let problem = "";
  try {
    folder = await DevFolder.open(owner, devFolder);
    group = await findGroup(owner, signal);
    rules = await group.rules();
  } catch (thrown) {
    problem = asFailure(thrown).message;
  }
  const close = async () => await folder?.[Symbol.asyncDispose]();
  return { life, folder, group, rules, problem, [Symbol.asyncDispose]: close };
}

async function carryOut(
  wish: Device,
  inside: Inside | undefined,
  tools: DeviceTools,
  failed: Map<string, string>,
): Promise<DevicePlan> {
  const { nodePath } = wish;
  const seen = inside && (await insideOf(wish, inside));
  const found = tools.find(wish);
  const takenBy = found.is === "there" ? tools.takenBy(wish, found.number) : undefined;
  const plan = planDevice({ wish, found, inside: seen, made: tools.made.get(nodePath), takenBy });
  if (!inside) return plan;
  try {
    // Nothing is waited for in between: of two runtimes that want it, one is first.
    const { take: old, give: made } = plan;
    if (made && !old) tools.keep(nodePath, made);
    if (old) await take(nodePath, inside, tools);
    else if (made) await give(made, nodePath, inside, tools);
  } catch (thrown) {
    tools.signal.throwIfAborted();
    failed.set(nodePath, asFailure(thrown).message);
    tools.log.warn({ device: nodePath, error: thrown }, "a device could not be given or taken away");
  }
  return plan;
}

async function insideOf(wish: Device, { life, folder, rules, problem }: Inside): Promise<DeviceInside> {
  if (!folder || problem !== "") return { life, rules, holds: { is: "barred", why: problem } };
  try {
    return { life, rules, holds: await folder.look(pathInside(wish)) };
  } catch (thrown) {
    return { life, rules, holds: { is: "barred", why: asFailure(thrown).message } };
  }
}

/** The right first, so that a program that waits for the node can open it. What is half done is undone. */
async function give(
  { path, number, access, isRightOurs }: Made,
  nodePath: string,
  inside: Inside,
  tools: DeviceTools,
): Promise<void> {
  try {
    if (isRightOurs) await inside.group?.change("allow", number, access);
    const holds = await inside.folder?.look(path);
    if (holds?.is === "nothing") await inside.folder?.make(path, number, tools.signal);
  } catch (thrown) {
    await take(nodePath, inside, tools).catch(() => {}); // Why it failed is what matters.
    throw thrown;
  }
}

async function take(nodePath: string, { folder, group }: Inside, tools: DeviceTools): Promise<void> {
  const made = tools.made.get(nodePath);
  if (!made) return;
  await folder?.remove(made.path, numberText(made.number));
  if (made.isRightOurs) await group?.change("deny", made.number, made.access);
  tools.keep(nodePath, undefined);
}
