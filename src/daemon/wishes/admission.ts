import type { Caller } from "../../../gen/edge/v1/policy_pb.ts";
import type { RuntimeSpec } from "../../../gen/edge/v1/runtimes_pb.ts";
import type { Failure } from "../../base/failure.ts";
import type { Network } from "../network/index.ts";
import { checkAllowed } from "./capabilities.ts";
import { checkDevicesAllowed } from "./device-policy.ts";
import { checkDevices } from "./devices.ts";
import { checkOrder } from "./order.ts";
import { checkAgainstOthers } from "./vnics.ts";
import type { Wish } from "./wish.ts";

/** Who asks, and by which command. */
export interface Asker {
  id: string;
  caller?: Caller;
}

/** Whose node it is, and who knows its MAC addresses. */
export interface Admission {
  network: Pick<Network, "macOf">;
  /** The node's policy, beside so many other runtimes; absent where there is none. @throws {Failure} denied. */
  decide?: (spec: RuntimeSpec, others: number, asker: Asker | undefined) => void;
  /** `policy.capabilities` */
  allowedCapabilities: () => readonly string[];
  /** `policy.devices` */
  allowedDevices: () => readonly string[];
  /** Where the node's /dev is. */
  devFolder: string;
  /** Why the node takes nothing at all now; undefined when it does. */
  closed?: () => Failure | undefined;
}

/**
 * Whether this node takes a spec, which is right in itself, beside all its other runtimes: what its owner allows, the order of
 * starts, and what only one runtime can have.
 * @throws {Failure} denied, invalid, conflict, exhausted.
 */
export function admit(
  { network, decide, allowedCapabilities, allowedDevices, devFolder, closed }: Admission,
  spec: RuntimeSpec,
  others: readonly Pick<Wish, "name" | "spec">[],
  asker?: Asker,
): void {
  const why = closed?.();
  if (why) throw why;
  checkAllowed(spec, allowedCapabilities());
  checkDevicesAllowed(spec, allowedDevices());
  decide?.(spec, others.length, asker);
  checkOrder(spec, others);
  checkAgainstOthers(spec, others, (runtime, vnic) => network.macOf(runtime, vnic));
  checkDevices(spec, others, devFolder);
}
