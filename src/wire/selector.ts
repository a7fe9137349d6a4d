import type { Label } from "../../gen/edge/v1/runtimes_pb.ts";
import { evidence } from "../base/evidence.ts";
import { failure } from "../base/failure.ts";

/** A label as whoever selects by it knows it. */
type Named = Pick<Label, "key" | "value">;

/** Whether labels hold all of a selector's, with their values. An empty selector selects everything. */
export function isSelected(labels: readonly Named[], selector: readonly Named[]): boolean {
  return selector.every(({ key, value }) => labels.some((one) => one.key === key && one.value === value));
}

/** One part of a selector: the label's value must be among some, or must not; without values, it must be there, or must not. */
export interface Requirement {
  key: string;
  isNegated: boolean;
  values: readonly string[] | undefined;
}

/** Parts that a selector may have. */
const partLimit = 16;
const key = "[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?";
const equal = new RegExp(`^(${key})\\s*(!?)==?\\s*([^=,()]*)$`);
const among = new RegExp(`^(${key})\\s+(not\\s+)?in\\s*\\(([^()]*)\\)$`);
const present = new RegExp(`^(!?)\\s*(${key})$`);

/**
 * What a selector means, as in `site=graz,ring!=canary,line in (1,2),line not in (3),gpu,!spare`: each part must hold. A label that is
 * not there is other than any value.
 * @throws {Failure} invalid.
 */
export function parseSelector(text: string): Requirement[] {
  const parts = text.split(/,(?![^()]*\))/).map((part) => part.trim());
  if (parts.length > partLimit) {
    throw failure("invalid", `a selector has at most ${partLimit} parts, and this has ${parts.length}`);
  }
  return parts.map(parsePart);
}

function parsePart(part: string): Requirement {
  const [, equalKey, isOther, value] = equal.exec(part) ?? [];
  if (equalKey !== undefined && value !== undefined) {
    return { key: equalKey, isNegated: isOther !== "", values: [value.trim()] };
  }
  const [, amongKey, not, list] = among.exec(part) ?? [];
  if (amongKey !== undefined && list !== undefined) {
    return { key: amongKey, isNegated: not !== undefined, values: list.split(",").map((one) => one.trim()) };
  }
  const [, isAbsent, presentKey] = present.exec(part) ?? [];
  if (presentKey !== undefined) return { key: presentKey, isNegated: isAbsent === "!", values: undefined };
  const examples = "site=graz, ring!=canary, line in (1,2), gpu or !gpu";
  throw failure("invalid", `${evidence(part)} is not a part of a selector, as in ${examples}`);
}

/** Whether labels meet all of these. */
export function meets(labels: readonly Named[], requirements: readonly Requirement[]): boolean {
  return requirements.every(({ key, isNegated, values }) => {
    const label = labels.find((one) => one.key === key);
    const isMet = label !== undefined && (values === undefined || values.includes(label.value));
    return isMet !== isNegated;
  });
}

/** The same that a list of labels means as a selector. */
export function requirementsOf(selector: readonly Named[]): Requirement[] {
  return selector.map(({ key, value }) => ({ key, isNegated: false, values: [value] }));
}
