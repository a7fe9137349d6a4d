import { type RuntimeSpec, RuntimeSpecSchema } from "../../gen/edge/v1/runtimes_pb.ts";
import type { FieldViolation } from "../base/failure.ts";
import { wrongDevices } from "./devices.ts";
import { violationsOf } from "./validation.ts";
import { wrongVnics } from "./vnics.ts";

/** How many runtimes a node may have: what all of them are must fit into one frame. */
export const runtimeLimit = 256;

/** What is wrong with a runtime's wish as far as anybody can tell without its node; the node says the rest. */
export function wrongRuntimeSpec(spec: RuntimeSpec, path: string): FieldViolation[] {
  return [...violationsOf(RuntimeSpecSchema, spec, path), ...beyondRules(spec, path)];
}

/** Of that, what the rules of the contract cannot say. */
export function beyondRules({ vnics, devices }: RuntimeSpec, path: string): FieldViolation[] {
  return [...wrongVnics(vnics, `${path}.vnics`), ...wrongDevices(devices, `${path}.devices`)];
}
