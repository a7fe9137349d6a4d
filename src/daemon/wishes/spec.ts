import { createHash } from "node:crypto";
import { clone, create, equals, toBinary } from "@bufbuild/protobuf";
import {
  DesiredState,
  type Resources,
  ResourcesSchema,
  RuntimeProfile,
  type RuntimeSpec,
  RuntimeSpecSchema,
} from "../../../gen/edge/v1/runtimes_pb.ts";
import { AddressMode, Ipv6Mode } from "../../../gen/edge/v1/vnics_pb.ts";
import {
  type HealthCheck,
  type LogLimits,
  LogLimitsSchema,
  RestartMode,
  StartCondition,
} from "../../../gen/edge/v1/workloads_pb.ts";
import { fullReference } from "../engine/index.ts";
import { usualLog } from "./container.ts";
import { usualWeight } from "./cpu-shares.ts";
import { usualTmpfsBytes } from "./mounts.ts";
import { profileOf } from "./profile.ts";

/**
 * The one form of all specs that mean the same: defaults are left out and never filled in, so that a later version with
 * other defaults, or with more fields, does not see another spec. Order means nothing but in a command and an entrypoint, and
 * among vNICs, where it decides between equal metrics.
 */
export function normalForm(spec: RuntimeSpec): RuntimeSpec {
  const normal = clone(RuntimeSpecSchema, spec);
  const profile = profileOf(spec);
  normal.image = fullReference(spec.image);
  normal.desired = DesiredState.UNSPECIFIED;
  if (normal.profile === RuntimeProfile.UNSPECIFIED) normal.profile = RuntimeProfile.OPENPLC;
  if (normal.stopGraceMs === profile.stopGraceMs) normal.stopGraceMs = 0;
  if (normal.volumePath === profile.volumePath) normal.volumePath = "";
  if (normal.resources) withoutUsual(normal.resources);
  if (normal.log) withoutUsualLog(normal.log);
  if (normal.health) withoutUsualHealth(normal.health);
  if (normal.restart === RestartMode.ALWAYS) normal.restart = RestartMode.UNSPECIFIED;
  if (normal.resources && equals(ResourcesSchema, normal.resources, create(ResourcesSchema))) {
    delete normal.resources;
  }
  if (normal.log && equals(LogLimitsSchema, normal.log, create(LogLimitsSchema))) delete normal.log;
  for (const one of normal.tmpfs) if (one.sizeBytes === BigInt(usualTmpfsBytes)) one.sizeBytes = 0n;
  for (const one of normal.after) {
    if (one.condition === StartCondition.RUNNING) one.condition = StartCondition.UNSPECIFIED;
  }
  for (const vnic of normal.vnics) {
    if (vnic.addressMode === AddressMode.DHCP) vnic.addressMode = AddressMode.UNSPECIFIED;
    if (vnic.ipv6Mode === Ipv6Mode.NONE) vnic.ipv6Mode = Ipv6Mode.UNSPECIFIED;
    if (vnic.metric === usualMetric) vnic.metric = 0;
  }
  for (const one of normal.devices) if (one.path === one.nodePath) one.path = "";
  normal.gpus?.ids.sort();
  normal.gpus?.capabilities.sort();
  normal.devices.sort(by(({ nodePath }) => nodePath));
  for (const one of normal.maintenance) if (one.timeZone === "UTC") one.timeZone = "";
  normal.maintenance.sort(by(({ cron, timeZone }) => `${cron} ${timeZone}`));
  normal.env.sort(by(({ name }) => name));
  normal.labels.sort(by(({ key }) => key));
  normal.ports.sort(by(({ nodePort }) => String(nodePort).padStart(5, "0")));
  normal.volumes.sort(by(({ name }) => name));
  normal.tmpfs.sort(by(({ path }) => path));
  normal.ulimits.sort(by(({ name }) => name));
  normal.capabilities.sort();
  normal.after.sort(by(({ runtime }) => runtime));
  return normal;
}

/** What the contract says of a metric of 0. */
const usualMetric = 100;

function withoutUsual(resources: Resources): void {
  if (resources.cpuWeight === usualWeight) resources.cpuWeight = 0;
}

function withoutUsualLog(log: LogLimits): void {
  if (log.fileBytes === usualLog.fileBytes) log.fileBytes = 0n;
  if (log.files === usualLog.files) log.files = 0;
}

/** What the contract says of zeros in a health check. */
function withoutUsualHealth(health: HealthCheck): void {
  if (health.intervalMs === 30_000) health.intervalMs = 0;
  if (health.timeoutMs === 5_000) health.timeoutMs = 0;
  if (health.failures === 3) health.failures = 0;
  if (health.startPeriodMs === 60_000) health.startPeriodMs = 0;
  if (health.http?.path === "/") health.http.path = "";
}

/** A spec as it is kept: whether it should run is asked once, and kept beside it. */
export function keptForm(spec: RuntimeSpec): RuntimeSpec {
  return { ...spec, desired: DesiredState.UNSPECIFIED };
}

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
