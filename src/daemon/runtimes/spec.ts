import { createHash } from "node:crypto";
import { clone, create, equals, toBinary } from "@bufbuild/protobuf";
import {
  ResourcesSchema,
  RuntimeProfile,
  type RuntimeSpec,
  RuntimeSpecSchema,
} from "../../../gen/edge/v1/runtimes_pb.ts";
import { AddressMode, Ipv6Mode } from "../../../gen/edge/v1/vnics_pb.ts";
import { fullReference } from "./names.ts";
import { profileOf } from "./profile.ts";

/**
 * The one form of all specs that mean the same: defaults are left out and never filled in, so that a later version with
 * other defaults, or with more fields, does not see another spec. Order of env, ports and labels means nothing; that of vNICs
 * decides between equal metrics.
 */
export function normalForm(spec: RuntimeSpec): RuntimeSpec {
  const normal = clone(RuntimeSpecSchema, spec);
  const profile = profileOf(spec);
  normal.image = fullReference(spec.image);
  if (normal.profile === RuntimeProfile.UNSPECIFIED) normal.profile = RuntimeProfile.OPENPLC;
  if (normal.stopGraceMs === profile.stopGraceMs) normal.stopGraceMs = 0;
  if (normal.volumePath === profile.volumePath) normal.volumePath = "";
  if (normal.resources && equals(ResourcesSchema, normal.resources, create(ResourcesSchema))) {
    delete normal.resources;
  }
  for (const vnic of normal.vnics) {
    if (vnic.addressMode === AddressMode.DHCP) vnic.addressMode = AddressMode.UNSPECIFIED;
    if (vnic.ipv6Mode === Ipv6Mode.NONE) vnic.ipv6Mode = Ipv6Mode.UNSPECIFIED;
    if (vnic.metric === usualMetric) vnic.metric = 0;
  }
  normal.env.sort(by(({ name }) => name));
  normal.labels.sort(by(({ key }) => key));
  normal.ports.sort(by(({ nodePort }) => String(nodePort).padStart(5, "0")));
  return normal;
}

/** What the contract says of a metric of 0. */
const usualMetric = 100;

/** The hash of what a spec means: equal for equal specs, as hexadecimal SHA-256. */
export function hashOf(spec: RuntimeSpec): string {
  return createHash("sha256")
    .update(toBinary(RuntimeSpecSchema, normalForm(spec)))
    .digest("hex");
}

/** Fields in which two specs mean different things, by their names in the contract and in its order. */
export function differences(one: RuntimeSpec, other: RuntimeSpec): string[] {
  const [left, right] = [normalForm(one), normalForm(other)];
  return RuntimeSpecSchema.fields
    .filter((field) => {
      const only = (spec: RuntimeSpec) =>
        create(RuntimeSpecSchema, { [field.localName]: spec[field.localName as keyof RuntimeSpec] });
      return !equals(RuntimeSpecSchema, only(left), only(right));
    })
    .map((field) => `spec.${field.name}`);
}

function by<T>(key: (item: T) => string): (one: T, other: T) => number {
  return (one, other) => (key(one) < key(other) ? -1 : key(one) > key(other) ? 1 : 0);
}
