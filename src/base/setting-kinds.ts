import { isAbsolute } from "node:path";
import * as v from "valibot";
import { formatDuration, parseDuration } from "./quantity.ts";
import type { Setting } from "./settings.ts";
import { parseSizeBytes, sizeAllowed } from "./sizes.ts";

interface Of<T> {
  default: T;
  /** One sentence for people: what it does, its unit. */
  doc: string;
  secret?: boolean;
}

/** The same setting, which need not be set: its value is then undefined. */
export function optional<T>({
  schema,
  doc,
  allowed,
  secret,
}: Omit<Setting<T>, "default">): Setting<T | undefined> {
  return { schema, doc, allowed, default: undefined, ...(secret === undefined ? {} : { secret }) };
}

/** A whole number within a range. Text is taken when it is digits and nothing else. */
export function whole({ min, max, ...of }: Of<number> & { min: number; max: number }): Setting<number> {
  const schema = v.pipe(
    v.unknown(),
    v.transform((given) => (typeof given === "string" && /^-?\d{1,16}$/.test(given) ? Number(given) : given)),
    v.number(),
    v.safeInteger(),
    v.minValue(min),
    v.maxValue(max),
  );
  return { ...of, schema, allowed: `a whole number from ${min} to ${max}` };
}

/** A TCP port. `zeroAllowed`: 0 lets the system choose one. */
export function port({
  zeroAllowed = false,
  ...of
}: Of<number> & { zeroAllowed?: boolean }): Setting<number> {
  const setting = whole({ ...of, min: zeroAllowed ? 0 : 1, max: 65_535 });
  const allowed = zeroAllowed ? "a port from 1 to 65535, or 0 for any free one" : "a port from 1 to 65535";
  return { ...setting, allowed };
}

/** A time in milliseconds; the key ends in `_ms`. */
export function milliseconds(of: Of<number> & { min: number; max: number }): Setting<number> {
  return { ...whole(of), allowed: `milliseconds from ${of.min} to ${of.max}` };
}

/** A time as people write it, `30m`; its value is in milliseconds. */
export function duration({ min, max, ...of }: Of<number> & { min: number; max: number }): Setting<number> {
  const schema = v.pipe(
    v.string(),
    v.transform((given) => durationMs(given)),
    v.number(),
    v.minValue(min),
    v.maxValue(max),
  );
  const allowed = `a duration such as 250ms, 30s, 5m, 2h or 7d, from ${formatDuration(min)} to ${formatDuration(max)}`;
  return { ...of, schema, allowed };
}

function durationMs(text: string): number | undefined {
  try {
    return parseDuration(text);
  } catch {
    return undefined; // The setting says what is allowed.
  }
}

/** A time in days, or a part of one; the key ends in `_days`. Text is taken when it is decimal digits. */
export function days({ min, max, ...of }: Of<number> & { min: number; max: number }): Setting<number> {
  const schema = v.pipe(
    v.unknown(),
    v.transform((given) =>
      typeof given === "string" && /^\d{1,9}(?:\.\d{1,9})?$/.test(given) ? Number(given) : given,
    ),
    v.number(),
    v.minValue(min),
    v.maxValue(max),
  );
  return { ...of, schema, allowed: `days from ${min} to ${max}, with decimals` };
}

/** A size in bytes, as a number or as people write it: `64Mi`. */
export function size({ min, max, ...of }: Of<number> & { min: number; max: number }): Setting<number> {
  const schema = v.pipe(
    v.unknown(),
    v.transform((given) => (typeof given === "string" ? parseSizeBytes(given) : given)),
    v.number(),
    v.safeInteger(),
    v.minValue(min),
    v.maxValue(max),
  );
  return { ...of, schema, allowed: `${sizeAllowed}, from ${min} to ${max} bytes` };
}

/** True or false; as text `true`, `false`, and nothing else. */
export function toggle(of: Of<boolean>): Setting<boolean> {
  const schema = v.pipe(
    v.unknown(),
    v.transform((given) => (given === "true" ? true : given === "false" ? false : given)),
    v.boolean(),
  );
  return { ...of, schema, allowed: "true or false" };
}

/** One of a few words. */
export function oneOf<const W extends string>(words: readonly W[], of: Of<NoInfer<W>>): Setting<W> {
  return { ...of, schema: v.picklist(words), allowed: `one of ${words.join(", ")}` };
}

/** Text that matches a pattern; `allowed` says the pattern in words. */
export function text(of: Of<string> & { pattern: RegExp; allowed: string }): Setting<string> {
  const { pattern, ...rest } = of;
  return { ...rest, schema: v.pipe(v.string(), v.regex(pattern)) };
}

/** A path that is absolute, so that it means the same whatever folder a program was started in. */
export function path(of: Of<string>): Setting<string> {
  const schema = v.pipe(
    v.string(),
    v.check((given) => isAbsolute(given) && !given.includes("\0") && given.length <= 4096),
  );
  return { ...of, schema, allowed: "an absolute path" };
}

const hostPattern = /^(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?|\[[0-9a-fA-F:.]{2,45}\])$/;

/** Whether a text is `host:port`: a name, an IPv4 address or an IPv6 address in brackets, and a port from 1 to 65535. */
export function isHostPort(text: string): boolean {
  const [, host, digits] = /^(.+):(\d{1,5})$/.exec(text) ?? [];
  if (host === undefined || digits === undefined) return false;
  const number = Number(digits);
  return hostPattern.test(host) && number >= 1 && number <= 65_535;
}

/** A list of host names and addresses without ports. */
export function hosts(of: Of<readonly string[]>): Setting<readonly string[]> {
  return list({
    ...of,
    isItem: (given) => hostPattern.test(given) || /^[0-9a-fA-F:.]{2,45}$/.test(given),
    most: 64,
    allowed: "a list of host names or addresses, separated by commas",
  });
}

/** A list of texts, given as one or with commas between; `isNoneAllowed`: a text of nothing means none. */
export function list({
  isItem,
  most,
  isNoneAllowed = false,
  ...of
}: Of<readonly string[]> & {
  isItem: (text: string) => boolean;
  most: number;
  isNoneAllowed?: boolean;
  allowed: string;
}): Setting<readonly string[]> {
  const parted = (text: string) =>
    isNoneAllowed && text.trim() === "" ? [] : text.split(",").map((one) => one.trim());
  const schema = v.pipe(
    v.unknown(),
    v.transform((given) => (typeof given === "string" ? parted(given) : given)),
    v.array(v.pipe(v.string(), v.check(isItem))),
    v.maxLength(most),
  );
  return { ...of, schema };
}
