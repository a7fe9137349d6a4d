import {
  type DeviceChange,
  DeviceChangeKind,
  DevicePhase,
  type DeviceStatus,
  type Gpus,
} from "../../gen/edge/v1/devices_pb.ts";
import type { Runtime } from "../../gen/edge/v1/runtimes_pb.ts";
import { word } from "./answer.ts";

/** The devices and GPUs of a runtime as rows of a sheet: where each is in the container, and whether it is there. */
export function deviceRows({ spec, devices }: Runtime): [string, string][] {
  const told = new Map(devices.map((one) => [one.nodePath, one]));
  const rows = (spec?.devices ?? []).map((wish, index): [string, string] => {
    const as = [wish.path && `as ${wish.path}`, wish.readOnly && "read only", wish.shared && "shared"];
    const how = as.filter(Boolean).join(", ");
    const is = stateOf(told.get(wish.nodePath));
    return [index === 0 ? "devices" : "", `${wish.nodePath}${how === "" ? "" : ` (${how})`}: ${is}`];
  });
  return spec?.gpus ? [...rows, ["gpus", gpusOf(spec.gpus)]] : rows;
}

function stateOf(status: DeviceStatus | undefined): string {
  if (!status) return word(DevicePhase, DevicePhase.UNSPECIFIED);
  const { phase, number, realPath, reason } = status;
  const is = word(DevicePhase, phase);
  if (phase === DevicePhase.PRESENT) return `${is}, ${realPath} (${number})`;
  return reason === "" ? is : `${is}; ${reason}`;
}

function gpusOf({ count, ids }: Gpus): string {
  if (ids.length > 0) return ids.join(", ");
  return count === 0 ? "all" : String(count);
}

/** What happened to a device, in words. */
export function deviceChangeInWords({ runtime, kind, device }: DeviceChange): string {
  return `device ${device?.nodePath} of runtime ${runtime} ${word(DeviceChangeKind, kind)}`;
}
