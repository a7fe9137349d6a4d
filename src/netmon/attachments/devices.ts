import { create, equals } from "@bufbuild/protobuf";
import { type Device, type DeviceStatus, DeviceStatusSchema } from "../../../gen/edge/v1/devices_pb.ts";
import { type DeviceNumber, type Found, findDevice, numberText } from "../../wire/device-path.ts";
import { pathInside } from "../../wire/devices.ts";
import {
  type Container,
  type DeviceNews,
  type DeviceStanding,
  type DeviceTools,
  deviceGone,
  deviceNews,
  deviceStatusOf,
  type ToldDevice,
  takeDevicesAway,
  tendDevices,
} from "../devices/index.ts";
import { lifeOf, type Tended } from "./tended.ts";
import type { Tools } from "./tools.ts";

/** Brings one owner's devices to what they should be, and writes down what happened to them. */
export async function roundOfDevices(tended: Tended, tools: Tools, signal: AbortSignal): Promise<void> {
  const { attachment, devices } = tended;
  if (attachment.devices.length === 0 && devices.told.size === 0 && devices.made.size === 0) return;
  devices.found = foundOf(tended, tools);
  const container = tended.hasFiles ? containerOf(tended) : undefined;
  const standings = await tendDevices(attachment.devices, container, toolsFor(tended, tools, signal));
  devices.standings = standings;
  const life = container?.life ?? "";
  for (const standing of standings) recordDevice(tended, standing, life, tools);
  const wanted = new Set(attachment.devices.map(({ nodePath }) => nodePath));
  for (const nodePath of devices.told.keys()) if (!wanted.has(nodePath)) recordGone(tended, nodePath, tools);
}

/** Takes an owner's devices from its container, which may go on, or have ended. */
export async function leaveDevices(tended: Tended, tools: Tools, signal: AbortSignal): Promise<void> {
  const container = containerOf(tended);
  if (container && tended.netns?.isAlive) {
    await takeDevicesAway(container, toolsFor(tended, tools, signal));
  }
  tended.devices.standings = [];
}

/** Tells that the devices of an owner go with it. The rest of it is forgotten in the same commit. */
export function tellDevicesGone(tended: Tended, tools: Tools): void {
  for (const nodePath of tended.devices.told.keys()) recordGone(tended, nodePath, tools);
}

/** What the paths of an owner's devices lead to now, as text: another text asks for a round. */
export function foundOf({ attachment }: Tended, { devFolder }: Pick<Tools, "devFolder">): string {
  return attachment.devices.map((wish) => inShort(findDevice(wish.nodePath, devFolder))).join("\n");
}

function inShort(found: Found): string {
  if (found.is === "there") return `${found.realPath} ${numberText(found.number)}`;
  return found.is === "wrong" ? found.reason : "";
}

/** As they were told last, in the order of the attachment. */
export function deviceStatusesOf({ attachment, devices }: Tended): DeviceStatus[] {
  return attachment.devices.map((wish) => {
    const untold = { nodePath: wish.nodePath, path: pathInside(wish), reason: "it is being looked at" };
    return devices.told.get(wish.nodePath)?.status ?? create(DeviceStatusSchema, untold);
  });
}

function containerOf({ process, netns }: Tended): Container | undefined {
  const owner = netns?.owner ?? process;
  return owner && { owner, life: lifeOf(owner) };
}

function toolsFor(tended: Tended, tools: Tools, signal: AbortSignal): DeviceTools {
  const { made } = tended.devices;
  const { owner } = tended.attachment;
  return {
    ...{ made, signal, log: tools.log, devFolder: tools.devFolder },
    find: ({ nodePath }) => findDevice(nodePath, tools.devFolder),
    takenBy: (wish, number) => takenBy(tended, wish, number, tools),
    keep: (nodePath, one) => {
      tools.store.devices.keepMade(owner, nodePath, one);
      if (one) made.set(nodePath, one);
      else {
        made.delete(nodePath);
        wakeWaiting(tended, tools);
      }
    },
  };
}

/** The runtime that has a device which this one may not use beside it. One that does not run has none. */
function takenBy(tended: Tended, wish: Device, number: DeviceNumber, { all }: Tools): string | undefined {
  for (const other of all()) {
    if (other === tended || !other.process) continue;
    for (const [nodePath, made] of other.devices.made) {
      if (made.life !== lifeOf(other.process) || numberText(made.number) !== numberText(number)) continue;
      const theirs = other.attachment.devices.find((one) => one.nodePath === nodePath);
      if (!(wish.shared && theirs?.shared)) return other.attachment.runtime;
    }
  }
  return undefined;
}

/** Whoever waits for a device of another may have it now. */
export function wakeWaiting(tended: Tended, { all, wake }: Tools): void {
  for (const other of all()) {
    if (other !== tended && other.devices.standings.some(({ isTaken }) => isTaken)) wake(other);
  }
}

function recordDevice(tended: Tended, standing: DeviceStanding, life: string, tools: Tools): void {
  const { nodePath } = standing.wish;
  const before = tended.devices.told.get(nodePath);
  const after = { status: deviceStatusOf(standing), life };
  if (before?.life === life && equals(DeviceStatusSchema, before.status, after.status)) return;
  record(tended, nodePath, after, deviceNews(tended.attachment.runtime, before, after), tools);
}

function recordGone(tended: Tended, nodePath: string, tools: Tools): void {
  const before = tended.devices.told.get(nodePath);
  if (before) record(tended, nodePath, undefined, deviceGone(tended.attachment.runtime, before), tools);
}

/** Keeps what a device is now, undefined when it is no more, and what happened to it, in one commit. */
function record(
  { attachment: { owner }, requestId, devices }: Tended,
  nodePath: string,
  now: ToldDevice | undefined,
  news: readonly DeviceNews[],
  tools: Tools,
): void {
  tools.store.atomically(() => {
    tools.store.devices.keepTold(owner, nodePath, now);
    for (const { change, reason } of news) {
      tools.events.append({ owner, requestId, reason, device: change });
    }
  });
  if (now) devices.told.set(nodePath, now);
  else devices.told.delete(nodePath);
  tools.changed();
}
