import { create } from "@bufbuild/protobuf";
import {
  type DeviceChange,
  DeviceChangeSchema,
  type DeviceStatus,
  DeviceStatusSchema,
  DeviceChangeKind as Kind,
  DevicePhase as Phase,
} from "../../../gen/edge/v1/devices_pb.ts";
import { pathInside } from "../../wire/devices.ts";
import type { DeviceStanding } from "./plan.ts";

/** What was told last of a device, and in which life of its container; empty when it did not run. */
export interface ToldDevice {
  readonly status: DeviceStatus;
  readonly life: string;
}

export interface DeviceNews {
  readonly change: DeviceChange;
  readonly reason: string;
}

/** A standing as it is told. */
export function deviceStatusOf({ wish, phase, reason, realPath, number }: DeviceStanding): DeviceStatus {
  const path = pathInside(wish);
  return create(DeviceStatusSchema, { nodePath: wish.nodePath, path, phase, reason, realPath, number });
}

/**
 * What happened to a device between what was told before and what is now. It goes by levels, so that nothing is told twice, and
 * nothing is missed that happened while netmon was away and still is so. That a container ended takes no device from it.
 */
export function deviceNews(
  runtime: string,
  before: ToldDevice | undefined,
  { status: is, life }: ToldDevice,
): DeviceNews[] {
  const was = before?.status;
  const had = was?.phase === Phase.PRESENT;
  const has = is.phase === Phase.PRESENT;
  const isSameLife = before?.life === life;
  const isReplaced = had && has && isSameLife && was.number !== is.number;
  const found: DeviceNews[] = [];
  const tell = (kind: Kind, device: DeviceStatus, reason: string) =>
    void found.push({ change: create(DeviceChangeSchema, { runtime, kind, device }), reason });
  if (isReplaced) tell(Kind.UNPLUGGED, was, `${is.nodePath} is another device now`);
  if (had && (is.phase === Phase.ABSENT || is.phase === Phase.REFUSED)) tell(Kind.UNPLUGGED, is, is.reason);
  if (has && (!had || !isSameLife || isReplaced)) {
    tell(Kind.PLUGGED, is, `${is.path} is ${is.realPath} (${is.number})`);
  }
  const isNewRefusal = was?.phase !== Phase.REFUSED || was.reason !== is.reason;
  if (is.phase === Phase.REFUSED && isNewRefusal) tell(Kind.REFUSED, is, is.reason);
  return found;
}

/** A device that the wish names no more, or that goes with the attachment: it was taken from a container that runs. */
export function deviceGone(runtime: string, { status }: ToldDevice): DeviceNews[] {
  if (status.phase !== Phase.PRESENT) return [];
  const device = create(DeviceStatusSchema, { nodePath: status.nodePath, path: status.path });
  const change = create(DeviceChangeSchema, { runtime, kind: Kind.UNPLUGGED, device });
  return [{ change, reason: "it is not wanted any more" }];
}
