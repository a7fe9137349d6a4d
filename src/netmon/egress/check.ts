import { isIP, isIPv4 } from "node:net";
import {
  type AllowEgressRequest,
  AllowEgressRequestSchema,
  type GuardEgressRequest,
  GuardEgressRequestSchema,
} from "../../../gen/edge/v1/netmon_pb.ts";
import { type FieldViolation, invalidFields } from "../../base/failure.ts";
import { subnetOf } from "../../wire/subnet.ts";
import { violationsOf } from "../../wire/validation.ts";
import type { Guard } from "./ruleset.ts";

/** What is asked, checked: nothing else gets into the words that nft reads. @throws {Failure} invalid. */
export function checkedGuard(request: GuardEgressRequest): Guard {
  const { resolver, ranges, closed } = request;
  const { address = "", port = 0, knownAs = "" } = resolver ?? {};
  refuse([
    ...violationsOf(GuardEgressRequestSchema, request),
    ...addressViolations("resolver.address", address),
    ...addressViolations("resolver.known_as", knownAs),
    ...ranges.flatMap(({ cidr }, index) => rangeViolations(`ranges[${index}].cidr`, cidr)),
    ...closed.flatMap((cidr, index) => rangeViolations(`closed[${index}]`, cidr)),
  ]);
  return {
    resolver: { address, port, knownAs },
    ranges: ranges.map((range) => ({ ...range, cidr: subnetOf(range.cidr) ?? "" })),
    closed: closed.map((cidr) => subnetOf(cidr) ?? ""),
  };
}

/** @throws {Failure} invalid. */
export function checkOpening(request: AllowEgressRequest): void {
  const { addresses } = request;
  refuse([
    ...violationsOf(AllowEgressRequestSchema, request),
    ...addresses.flatMap((address, index) =>
      // One with a zone means nothing outside of its own machine.
      isIP(address) !== 0 && !address.includes("%")
        ? []
        : [{ field: `addresses[${index}]`, message: "must be an IPv4 or IPv6 address" }],
    ),
  ]);
}

function addressViolations(field: string, address: string): FieldViolation[] {
  return isIPv4(address) ? [] : [{ field, message: "must be an IPv4 address" }];
}

function rangeViolations(field: string, cidr: string): FieldViolation[] {
  return subnetOf(cidr) === undefined
    ? [{ field, message: "must be an IPv4 or IPv6 range such as 10.20.0.0/16" }]
    : [];
}

function refuse(violations: readonly FieldViolation[]): void {
  if (violations.length > 0) throw invalidFields(violations);
}
