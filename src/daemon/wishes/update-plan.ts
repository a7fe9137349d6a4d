import { create, toJson } from "@bufbuild/protobuf";
import {
  DesiredState,
  type EnvVar,
  type FieldChange,
  FieldChangeSchema,
  type RuntimeSpec,
  RuntimeSpecSchema,
} from "../../../gen/edge/v1/runtimes_pb.ts";
import { needsContainer } from "./in-place.ts";
import { differences, normalForm } from "./spec.ts";
import type { Wish } from "./wish.ts";

/** What an update changes, and what that takes. */
export interface UpdatePlan {
  /** None when all is as wished. */
  changes: FieldChange[];
  /** Whether it gets another container. */
  isSwap: boolean;
  /** Whether its program is stopped, or stopped and started. */
  interrupts: boolean;
  /** Why it is, or is not, as a sentence. */
  reason: string;
  /** Whether it should run afterwards. */
  desired: "running" | "stopped";
}

/** The wish before, as far as it counts. */
type Before = Pick<Wish, "spec" | "desired" | "imageId" | "imageDigest">;

/**
 * What an update to another wish changes. `image` is what was found to be meant by the new wish; without it, an image's tag is
 * taken to mean what it meant before.
 */
export function planUpdate(
  before: Before,
  spec: RuntimeSpec,
  image: Pick<Wish, "imageId" | "imageDigest"> = before,
): UpdatePlan {
  const was = before.desired === "running" ? "running" : "stopped";
  const desired = desiredOf(spec, was);
  const fields = differences(before.spec, spec);
  const changes = fields.map((field) => fieldChange(field, before.spec, spec));
  const hasMoved = before.imageId !== "" && image.imageId !== before.imageId;
  if (hasMoved && !fields.includes("spec.image")) changes.unshift(tagMoved(before, spec, image));
  const swaps = changes.filter(({ inPlace }) => !inPlace).map(({ field }) => field);
  if (desired !== was) changes.push(desiredChange(was, desired));
  const isStopped = was === "stopped" || desired === "stopped";
  // The engine changes limits of what runs; for what does not, another container does.
  const isSwap = swaps.length > 0 || (isStopped && fields.includes("spec.resources"));
  const interrupts = was === "running" && (isSwap || desired === "stopped");
  return { changes, isSwap, interrupts, reason: reasonFor(), desired };

  function reasonFor(): string {
    if (changes.length === 0) return "it is as wished";
    if (was === "stopped") {
      return desired === "running" ? "it is to be started" : "it is stopped: its next start is as wished";
    }
    if (desired === "stopped") return "it is to be stopped";
    if (!isSwap) return "all that differs is changed while it goes on";
    return `another container is needed: ${whySwapped(swaps, before.spec, spec)}`;
  }
}

/** What should be when `was` is what should be until now. */
export function desiredOf({ desired }: Pick<RuntimeSpec, "desired">, was: "running" | "stopped") {
  if (desired === DesiredState.UNSPECIFIED) return was;
  return desired === DesiredState.STOPPED ? "stopped" : "running";
}

/** Each reason once, with the fields that have it. */
function whySwapped(fields: readonly string[], before: RuntimeSpec, after: RuntimeSpec): string {
  const reasons = new Map<string, string[]>();
  for (const field of fields) {
    const why = whyNotInPlace(field, before, after) ?? "a container has one image for good";
    reasons.set(why, [...(reasons.get(why) ?? []), field]);
  }
  return [...reasons].map(([why, of]) => `${of.join(", ")} (${why})`).join("; ");
}

function fieldChange(field: string, before: RuntimeSpec, after: RuntimeSpec): FieldChange {
  return create(FieldChangeSchema, {
    field,
    ...(field === "spec.env"
      ? changedNames(before.env, after.env)
      : { before: json(field, before), after: json(field, after) }),
    inPlace: whyNotInPlace(field, before, after) === undefined,
  });
}

function whyNotInPlace(field: string, before: RuntimeSpec, after: RuntimeSpec): string | undefined {
  const { localName } = descriptorOf(field);
  return needsContainer[localName as keyof typeof needsContainer](before, after); // `name` never differs, `desired` is left out.
}

/** As JSON of the contract; empty where its default is meant. */
function json(field: string, spec: RuntimeSpec): string {
  const { jsonName } = descriptorOf(field);
  const isSet = jsonOf(normalForm(spec), jsonName) !== undefined;
  return isSet ? JSON.stringify(jsonOf(spec, jsonName)) : "";
}

function jsonOf(spec: RuntimeSpec, jsonName: string): unknown {
  return (toJson(RuntimeSpecSchema, spec) as Record<string, unknown>)[jsonName]; // A message is an object.
}

function descriptorOf(field: string) {
  const found = RuntimeSpecSchema.fields.find(({ name }) => `spec.${name}` === field);
  if (!found) throw new Error(`${field} is no field of a wish`);
  return found;
}

/** Variables that differ, by their names alone: a value may be somebody's secret. */
function changedNames(before: readonly EnvVar[], after: readonly EnvVar[]) {
  const named = (some: readonly EnvVar[], others: readonly EnvVar[]) => {
    const names = some
      .filter(({ name, value }) => !others.some((one) => one.name === name && one.value === value))
      .map(({ name }) => name);
    return names.length === 0 ? "" : JSON.stringify(names.sort());
  };
  return { before: named(before, after), after: named(after, before) };
}

function tagMoved(
  before: Before,
  { image }: RuntimeSpec,
  now: Pick<Wish, "imageId" | "imageDigest">,
): FieldChange {
  const told = (of: Pick<Wish, "imageId" | "imageDigest">) =>
    JSON.stringify(`${image.replace(/@.*$/, "")}@${of.imageDigest || of.imageId}`);
  return create(FieldChangeSchema, {
    field: "spec.image",
    before: told(before),
    after: told(now),
    inPlace: false,
  });
}

function desiredChange(was: "running" | "stopped", desired: "running" | "stopped"): FieldChange {
  const named = (one: "running" | "stopped") => `"DESIRED_STATE_${one.toUpperCase()}"`;
  return create(FieldChangeSchema, {
    ...{ field: "spec.desired", before: named(was), after: named(desired), inPlace: true },
  });
}
