import type { RuntimeSpec } from "../../../gen/edge/v1/runtimes_pb.ts";
import { RestartMode, StartCondition } from "../../../gen/edge/v1/workloads_pb.ts";
import { evidence } from "../../base/evidence.ts";
import { type FieldViolation, invalidFields } from "../../base/failure.ts";
import { wrongRuntimeSpec } from "../../wire/runtime-spec.ts";
import { reservedPrefix } from "../engine/index.ts";
import { wrongHealth } from "../health/index.ts";
import { wrongMaintenance } from "../locks/index.ts";
import { wrongCapabilities } from "./capabilities.ts";
import { wrongGpus } from "./gpus.ts";
import { wrongMounts } from "./mounts.ts";
import { isKnownProfile } from "./profile.ts";
import { wrongUlimits } from "./ulimits.ts";

/**
 * Checks a spec before anything is made of it: the rules of the contract, and what they cannot say.
 * @throws {Failure} invalid, with every violation and its path from the request.
 */
export function checkSpec(spec: RuntimeSpec): void {
  const violations = wrongSpec(spec);
  if (violations.length > 0) throw invalidFields(violations);
}

/** Every violation of a spec, whose paths begin with `spec`. */
export function wrongSpec(spec: RuntimeSpec): FieldViolation[] {
  return [
    ...wrongRuntimeSpec(spec, "spec"),
    ...beyondRules(spec),
    ...wrongMounts(spec),
    ...wrongUlimits(spec),
    ...wrongCapabilities(spec),
    ...wrongHealth(spec),
    ...wrongGpus(spec),
    ...wrongMaintenance(spec.maintenance, "spec.maintenance"),
  ];
}

function beyondRules({ env, labels, profile, resources, ...spec }: RuntimeSpec): FieldViolation[] {
  const found: FieldViolation[] = [];
  const texts = [
    ...env.map(({ value }, index) => [`spec.env[${index}].value`, value] as const),
    ...labels.map(({ value }, index) => [`spec.labels[${index}].value`, value] as const),
    ...spec.command.map((text, index) => [`spec.command[${index}]`, text] as const),
    ...spec.entrypoint.map((text, index) => [`spec.entrypoint[${index}]`, text] as const),
  ];
  for (const [field, text] of texts) {
    if (text.includes("\0")) found.push({ field, message: "must not contain a zero byte" });
  }
  if (spec.entrypoint[0] === "") {
    found.push({ field: "spec.entrypoint[0]", message: "is the program, and must not be empty" });
  }
  if (!isKnownProfile(profile)) {
    found.push({ field: "spec.profile", message: `${profile} is not a profile that this node knows` });
  }
  const words = [
    ["spec.restart", spec.restart, RestartMode] as const,
    ...spec.after.map(
      ({ condition }, at) => [`spec.after[${at}].condition`, condition, StartCondition] as const,
    ),
  ];
  for (const [field, value, known] of words) {
    // proto3 lets any number through.
    if (Object.values<number | string>(known).includes(value)) continue;
    found.push({ field, message: `${value} is not one that this node knows` });
  }
  for (const range of resources?.cpuset.split(",") ?? []) {
    const [first = 0, last = first] = range.split("-").map(Number);
    if (last < first) {
      found.push({
        field: "spec.resources.cpuset",
        message: `${range} is not a range: it ends before it begins`,
      });
    }
  }
  for (const [index, { key }] of labels.entries()) {
    if (key.startsWith(reservedPrefix)) {
      const message = `${evidence(key)} must not begin with ${reservedPrefix}: these are the daemon's own`;
      found.push({ field: `spec.labels[${index}].key`, message });
    }
  }
  return found;
}
