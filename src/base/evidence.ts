/** A value as evidence in a sentence for people: short, and with nothing in it that could steer a terminal. */
export function evidence(value: unknown): string {
  if (value instanceof Map) return "a map";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  if (typeof value !== "string") return String(value);
  const short = value.length > 80 ? `${value.slice(0, 80)}...` : value;
  // JSON escapes C0 only; C1 and the direction marks can steer a terminal or a reader too.
  return JSON.stringify(short).replace(
    /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g,
    (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
