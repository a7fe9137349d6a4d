import { evidence } from "../../base/evidence.ts";

/** Says what is wrong, at the key that is being read or below it. */
export type Refuse = (message: string, ...steps: (string | number)[]) => undefined;

/** A text, or a number or a boolean that somebody left without quotes. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : undefined;
}

/** Keys with values, from a map or from a list of `KEY=value`; undefined for a key without one. */
export function pairsOf(value: unknown, refuse: Refuse): [key: string, value: string | undefined][] {
  if (value instanceof Map) {
    return [...value].flatMap(([key, one]): [string, string | undefined][] => {
      const text = textOf(one);
      if (text === undefined && one !== null) refuse(`is ${evidence(one)}; a text is needed`, String(key));
      return [[String(key), text]];
    });
  }
  return textsOf(value, refuse).map((text) => {
    const at = text.indexOf("=");
    return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
  });
}

/** A list of texts. */
export function textsOf(value: unknown, refuse: Refuse): string[] {
  if (!Array.isArray(value)) {
    refuse(`is ${evidence(value)}; a list is needed`);
    return [];
  }
  return value.flatMap(
    (one, index) => textOf(one) ?? refuse(`is ${evidence(one)}; a text is needed`, index) ?? [],
  );
}

/** One text, or a list of them. */
export function oneOrMore(value: unknown, refuse: Refuse): string[] {
  const text = textOf(value);
  return text === undefined ? textsOf(value, refuse) : [text];
}

/** The words of a command line as a shell parts them; nothing else of a shell is involved. */
export function wordsOf(text: string): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  for (let rest = text; rest !== ""; ) {
    const [piece = ""] = /^(?:\s+|'[^']*'|"(?:\\.|[^"\\])*"|\\[\s\S]|[^\s'"\\]+)/.exec(rest) ?? [];
    if (piece === "") return undefined; // A quote that is never closed.
    rest = rest.slice(piece.length);
    if (/^\s/.test(piece)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (piece.startsWith("'")) word = (word ?? "") + piece.slice(1, -1);
    else if (piece.startsWith('"')) word = (word ?? "") + piece.slice(1, -1).replace(/\\(["\\$`])/g, "$1");
    else word = (word ?? "") + (piece.startsWith("\\") ? piece.slice(1) : piece);
  }
  return word === undefined ? words : [...words, word];
}

const msOf: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1, us: 0.001 };

/** Milliseconds of a duration as `1m30s`. */
export function durationMs(value: unknown, refuse: Refuse): number | undefined {
  const text = textOf(value) ?? "";
  if (!/^(?:\d+(?:\.\d+)?(?:h|ms|m|us|s))+$/.test(text)) {
    return refuse(`is ${evidence(value)}; a duration such as 1m30s is needed`);
  }
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|us|s)/g)];
  return Math.ceil(parts.reduce((sum, [, count, unit = ""]) => sum + Number(count) * (msOf[unit] ?? 0), 0));
}

/** Bytes of a size as `512m`; a letter is a power of 1024, but for logs, where it is one of 1000. */
export function bytesOf(value: unknown, refuse: Refuse, power: 1000 | 1024 = 1024): bigint | undefined {
  const [, count, unit = ""] = /^(\d+(?:\.\d+)?)(b|kb?|mb?|gb?)?$/i.exec(textOf(value) ?? "") ?? [];
  if (count === undefined) return refuse(`is ${evidence(value)}; a size such as 512m is needed`);
  const exponent = ["b", "k", "m", "g"].indexOf((unit[0] ?? "b").toLowerCase());
  return BigInt(Math.round(Number(count) * power ** exponent));
}

/** A whole number. */
export function wholeOf(value: unknown, refuse: Refuse): bigint | undefined {
  const text = textOf(value) ?? "";
  if (/^-?\d{1,18}$/.test(text)) return BigInt(text);
  return refuse(`is ${evidence(value)}; a whole number is needed`);
}

/** The keys of a map that are known; all others are refused by name. */
export function keysOf<K extends string>(
  value: unknown,
  known: readonly K[],
  refuse: Refuse,
  why: (key: string) => string = () => "has no meaning here: leave it out",
): Partial<Record<K, unknown>> {
  if (!(value instanceof Map)) {
    refuse(`is ${evidence(value)}; keys with values are needed`);
    return {};
  }
  const found: Partial<Record<K, unknown>> = {};
  for (const [given, one] of value) {
    const key = String(given);
    const name = known.find((each) => each === key);
    if (name !== undefined) found[name] = one as unknown;
    else if (!key.startsWith("x-")) refuse(why(key), key);
  }
  return found;
}

/** What is refused below a key is refused by its path. */
export function below(refuse: Refuse, ...steps: (string | number)[]): Refuse {
  return (message, ...more) => refuse(message, ...steps, ...more);
}
