import { isIPv4 } from "node:net";
import { create } from "@bufbuild/protobuf";
import { type ProbeParentResponse, ProbeParentResponseSchema } from "../../gen/edge/v1/netmon_pb.ts";
import { failure } from "../base/failure.ts";
import { probeAddress, probeOnParent } from "./namespaces/index.ts";
import type { Seen } from "./picture/index.ts";

/**
 * Tries whether the LAN behind an interface takes frames of a MAC that is not the interface's own, by asking its default gateway
 * who it is. A gateway that does not even answer the interface itself is not asked again: that is three questions at most.
 * @throws {Failure} not_found: the interface. unavailable: it has no carrier, or no gateway that could be asked.
 */
export async function probeParent(
  parent: string,
  { picture, random }: { picture: Seen; random: () => number },
  signal: AbortSignal,
): Promise<ProbeParentResponse> {
  const found = picture.interfaces.find(({ name }) => name === parent);
  if (!found) throw failure("not_found", `there is no interface ${parent} on this node`);
  if (!found.carrier) throw failure("unavailable", `${parent} has no carrier: plug in its cable`);
  const gateway = found.gateways.find(isIPv4);
  if (gateway === undefined) {
    throw failure("unavailable", `${parent} has no IPv4 default gateway that could be asked`);
  }
  const own = await probeAddress({ place: {}, device: parent, address: gateway, signal });
  const other =
    own &&
    (await probeOnParent({ ...{ parent, mode: "bridge", address: gateway, signal }, mac: anyMac(random) }));
  return create(ProbeParentResponseSchema, {
    ...{ gateway, answersOwnMac: own !== undefined, answersOtherMac: other !== undefined },
  });
}

/** Locally administered, of one station. */
function anyMac(random: () => number): string {
  const bytes = Array.from({ length: 5 }, () =>
    Math.floor(random() * 256)
      .toString(16)
      .padStart(2, "0"),
  );
  return `02:${bytes.join(":")}`;
}
