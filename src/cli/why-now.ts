import { DevicePhase } from "../../gen/edge/v1/devices_pb.ts";
import { DesiredState, type Runtime, RuntimePhase } from "../../gen/edge/v1/runtimes_pb.ts";
import { formatDuration } from "../base/quantity.ts";
import { word } from "./answer.ts";
import { lockReasons } from "./lock-tell.ts";
import { healthOf } from "./runtime-tell.ts";
import { printable } from "./table.ts";
import { vnicReasons } from "./vnic-tell.ts";

/** Why a runtime is as it is now: what it is and why, then all that has a say in it, a line each. */
export function reasonsOf(runtime: Runtime | undefined): string {
  if (!runtime) return "";
  const { phase: at } = runtime;
  const state = at === RuntimePhase.CRASH_LOOP ? "in a crash loop" : word(RuntimePhase, at);
  const reason = runtime.reason === "" ? "" : `: ${runtime.reason}`;
  const health = healthOf(runtime);
  const says = [
    ...wishOf(runtime),
    ...(health === "" ? [] : [`its program is ${health}`]),
    ...probationOf(runtime),
    ...lockReasons(runtime),
    ...vnicReasons(runtime),
    ...devicesOf(runtime),
  ];
  return [`runtime ${runtime.spec?.name} is ${state}${reason}`, ...says.map((line) => `  ${line}`)]
    .map((line) => `${printable(line)}\n`)
    .join("");
}

/** What of its wish decides whether it runs, and what came of that: nothing, where it just runs. */
function wishOf({ spec, restarts }: Runtime): string[] {
  if (!spec) return [];
  const stopped = spec.desired === DesiredState.STOPPED ? ["it is wished to be stopped"] : [];
  const names = spec.after.map(({ runtime }) => runtime).join(", ");
  const after = names === "" ? [] : [`it starts after ${names}`];
  const count = restarts === 1 ? "once" : `${restarts} times`;
  return [...stopped, ...after, ...(restarts === 0 ? [] : [`it was started again by itself ${count}`])];
}

function probationOf({ probation }: Runtime): string[] {
  if (!probation) return [];
  const { leftMs, previousImage, commandId } = probation;
  return [
    `it was updated (${commandId}) and has ${formatDuration(leftMs)} to become healthy: else it gets ${previousImage} and its former wish back`,
  ];
}

function devicesOf({ devices }: Runtime): string[] {
  return devices.map(({ nodePath, phase, reason }) => {
    const why = reason === "" ? "" : `: ${reason}`;
    return `device ${nodePath} is ${word(DevicePhase, phase)}${why}`;
  });
}
