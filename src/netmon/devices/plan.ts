import { type Device, DevicePhase as Phase } from "../../../gen/edge/v1/devices_pb.ts";
import { type DeviceNumber, type Found, numberText } from "../../wire/device-path.ts";
import { pathInside } from "../../wire/devices.ts";
import { whyNever } from "./floor.ts";
import type { Holds } from "./folder.ts";
import type { Access, Rule } from "./group.ts";
import { isAllowed } from "./rights.ts";

/** What netmon made of a device in one life of a container. Kept on disk before it is made, so that it is always known again. */
export interface Made {
  /** The container's life: the next one has nothing of it. */
  readonly life: string;
  readonly path: string;
  readonly number: DeviceNumber;
  readonly access: Access;
  /** Whether the right to use it was given by netmon, and goes with it. */
  readonly isRightOurs: boolean;
}

/** All that decides about one device of a container. */
export interface DeviceSituation {
  readonly wish: Device;
  readonly found: Found;
  readonly made: Made | undefined;
  /** What the container has; undefined when it does not run, or has no files of its own yet. */
  readonly inside: DeviceInside | undefined;
  /** The runtime that uses the device that was found, when this one cannot. */
  readonly takenBy: string | undefined;
}

export interface DeviceInside {
  readonly life: string;
  /** At the device's path; `barred`: it cannot be looked at. */
  readonly holds: Holds | { readonly is: "barred"; readonly why: string };
  readonly rules: readonly Rule[];
}

/** A device as it will be when the plan is done. */
export interface DeviceStanding {
  readonly wish: Device;
  readonly phase: Phase;
  readonly reason: string;
  readonly realPath: string;
  /** As in `c 188:0`. */
  readonly number: string;
  /** Whether it can be had as soon as another runtime does not use it any more. */
  readonly isTaken: boolean;
}

/** What to do about one device: first what is to be taken away, then what is to be made. */
export interface DevicePlan {
  readonly take: Made | undefined;
  readonly give: Made | undefined;
  readonly standing: DeviceStanding;
}

/** The way from what is to what should be, for one device. */
export function planDevice(situation: DeviceSituation): DevicePlan {
  const { wish, found, made, inside } = situation;
  const there = found.is === "there" ? found : undefined;
  const base = {
    ...{ wish, isTaken: false, realPath: there?.realPath ?? "" },
    number: there ? numberText(there.number) : "",
  };
  if (!inside) {
    const reason = "its container does not run";
    return { take: undefined, give: undefined, standing: { ...base, phase: Phase.UNSPECIFIED, reason } };
  }
  const refuse = (reason: string, isTaken = false): DevicePlan => {
    const standing = { ...base, phase: Phase.REFUSED, reason, isTaken };
    return { take: made, give: undefined, standing };
  };
  if (found.is === "absent") {
    const standing = { ...base, phase: Phase.ABSENT, reason: `${wish.nodePath} is not there` };
    return { take: made, give: undefined, standing };
  }
  if (found.is === "wrong") return refuse(`${wish.nodePath} ${found.reason}`);
  const never = whyNever(found.number, found.realPath);
  if (never !== undefined) return refuse(`${found.realPath} is given to no runtime: ${never}`);
  const { takenBy } = situation;
  if (takenBy !== undefined) return refuse(`${found.realPath} is used by runtime ${takenBy}`, true);
  return planThere(situation, inside, { number: found.number, refuse, base });
}

/** For one that is there and may be given. */
function planThere(
  { wish, made }: DeviceSituation,
  { life, holds, rules }: DeviceInside,
  of: {
    number: DeviceNumber;
    refuse: (reason: string) => DevicePlan;
    base: Omit<DeviceStanding, "phase" | "reason">;
  },
): DevicePlan {
  const { number, refuse, base } = of;
  if (holds.is === "barred") return refuse(holds.why);
  const path = pathInside(wish);
  const access: Access = wish.readOnly ? "r" : "rw";
  const standing = { ...base, phase: Phase.PRESENT, reason: "" };
  const isSame =
    made?.path === path && made.access === access && numberText(made.number) === numberText(number);
  const take = isSame ? undefined : made;
  // What is about to be taken away does not stand in the way.
  const isOurs = take?.path === path && holds.is === "device" && holds.number === numberText(take.number);
  const isThere = holds.is === "device" && holds.number === numberText(number);
  if (holds.is !== "nothing" && !isThere && !isOurs) {
    const what = holds.is === "device" ? "another device" : holds.what;
    return refuse(`the container has ${what} of its own at ${path}`);
  }
  const hasRight = isAllowed(rules, number, access);
  if (isSame && isThere && hasRight) return { take: undefined, give: undefined, standing };
  const isRightOurs = (isSame && made.isRightOurs) || !hasRight || sharesRight(take, number);
  return { take, give: { life, path, number, access, isRightOurs }, standing };
}

/** Whether the right that is there goes away with what is taken. */
function sharesRight(take: Made | undefined, number: DeviceNumber): boolean {
  return take?.isRightOurs === true && numberText(take.number) === numberText(number);
}
