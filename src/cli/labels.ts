import { evidence } from "../base/evidence.ts";
import { failure } from "../base/failure.ts";

/** A label as people write it, as in `site=graz`. */
export interface LabelText {
  key: string;
  value: string;
}

/** A label. @throws {Failure} invalid. */
export function parseLabel(text: string): LabelText {
  const [, key, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (key !== undefined && value !== undefined) return { key, value };
  throw failure("invalid", `${evidence(text)} is not a label, as in site=graz`);
}

/** Labels that must all be there, as in `site=graz,line=2`. @throws {Failure} invalid. */
export function parseSelector(text: string): LabelText[] {
  return text.split(",").map(parseLabel);
}

/** Labels for people. */
export function formatLabels(labels: readonly LabelText[]): string {
  return labels.map(({ key, value }) => `${key}=${value}`).join(",");
}
