import { type RuntimeSpec, RuntimeSpecSchema } from "../../../gen/edge/v1/runtimes_pb.ts";
import { evidence } from "../../base/evidence.ts";
import { type FieldViolation, invalidFields } from "../../base/failure.ts";
import { violationsOf } from "../../wire/validation.ts";
import { wrongVnics } from "../../wire/vnics.ts";
import { reservedPrefix } from "./names.ts";
import { isKnownProfile } from "./profile.ts";

/**
 * Checks a spec before anything is made of it: the rules of the contract, and what they cannot say.
 * @throws {Failure} invalid, with every violation and its path from the request.
 */
export function checkSpec(spec: RuntimeSpec): void {
  const violations = [
    ...violationsOf(RuntimeSpecSchema, spec, "spec"),
    ...beyondRules(spec),
    ...wrongVnics(spec.vnics, "spec.vnics"),
  ];
  if (violations.length > 0) throw invalidFields(violations);
}

function beyondRules({ env, labels, profile, resources, volumePath }: RuntimeSpec): FieldViolation[] {
  const found: FieldViolation[] = [];
  for (const [index, { value }] of env.entries()) {
    if (value.includes("\0")) {
      found.push({ field: `spec.env[${index}].value`, message: "must not contain a zero byte" });
    }
  }
  if (!isKnownProfile(profile)) {
    found.push({ field: "spec.profile", message: `${profile} is not a profile that this node knows` });
  }
  if (volumePath.split("/").some((part) => part === "." || part === "..")) {
    found.push({ field: "spec.volume_path", message: "must not contain '.' or '..' as a folder" });
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
