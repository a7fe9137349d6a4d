import { StringDecoder } from "node:string_decoder";

/** A value as evidence in a sentence for people: short, and with nothing in it that could steer a terminal. */
export function evidence(value: unknown): string {
  if (value instanceof Map) return "a map";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  if (typeof value !== "string") return String(value);
  return quoted(value.length > 80 ? `${value.slice(0, 80)}...` : value);
}

/** The beginning of a text: as much of it as has room in so many bytes of UTF-8. */
export function beginning(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  // The decoder keeps back a character that was cut in two.
  return bytes.length <= maxBytes ? text : new StringDecoder("utf8").write(bytes.subarray(0, maxBytes));
}

/** A path or a name in a sentence: as it is, and in quotes where something in it could steer a terminal. */
export function harmless(text: string): string {
  const told = quoted(text);
  return told === `"${text}"` ? text : told;
}

/** A text in quotes, with nothing in it that could steer a terminal. */
export function quoted(text: string): string {
  // JSON escapes C0 only; C1 and the direction marks can steer a terminal or a reader too.
  return JSON.stringify(text).replace(
    /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g,
    (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
