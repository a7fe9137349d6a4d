/**
 * What leaves a machine in a support bundle is told from secrets twice: by the name that a value has, and by its shape, wherever
 * it stands. Rather one word too many is lost than one secret told.
 */
export const redacted = "[redacted]";

const secretWords =
  "pass(?:word|wd|phrase)?|secret|token|credential|api[_-]?key|private[_-]?key|key[_-]?pem|access[_-]?key|auth(?:orization)?|cookie|psk|csr|pwd";
const secretName = new RegExp(`(?:${secretWords})s?$|(?:password|secret|token|credential)`, "i");
/** Lists and maps of these names hold values that only their owner can judge. */
const environment = /^(?:env|environment)$/i;

/** A value as JSON has it, without its secrets. */
export function redact(value: unknown): unknown {
  if (typeof value === "string") return redactText(value);
  if (Array.isArray(value)) return value.map((one, index) => afterFlag(value[index - 1], one));
  if (typeof value !== "object" || value === null) return value;
  const named = nameIn(value);
  const isSecret = named !== undefined && secretName.test(named);
  const pairs = Object.entries(value).map(([name, held]) => {
    if (isSecret && name === "value") return [name, redacted];
    return [redactText(name), redactNamed(name, held)];
  });
  return Object.fromEntries(pairs);
}

/** A value that stands under a name. */
function redactNamed(name: string, value: unknown): unknown {
  if (environment.test(name)) return redactEnvironment(value);
  if (!secretName.test(name) || typeof value === "boolean" || value === null) return redact(value);
  return value === "" ? value : redacted;
}

/** The name of a pair such as `{ key, value }`. */
function nameIn(value: object): string | undefined {
  if ("key" in value && typeof value.key === "string") return value.key;
  return "name" in value && typeof value.name === "string" ? value.name : undefined;
}

/** Names stay, and every value goes: as pairs, as a map, or as `NAME=value`. */
function redactEnvironment(value: unknown): unknown {
  if (typeof value === "string") return value.includes("=") ? `${value.split("=")[0]}=${redacted}` : redacted;
  if (Array.isArray(value)) return value.map((one) => redactEnvironment(one));
  if (typeof value !== "object" || value === null) return redacted;
  const isPair = "name" in value && "value" in value;
  return Object.fromEntries(
    Object.entries(value).map(([name, held]) => [name, isPair && name === "name" ? held : redacted]),
  );
}

/** An argument of a command line: `--password` says what the next one is. */
function afterFlag(before: unknown, one: unknown): unknown {
  const isFlag = typeof before === "string" && /^--?[\w-]+$/.test(before) && secretName.test(before);
  return isFlag && typeof one === "string" && !one.startsWith("-") ? redacted : redact(one);
}

/**
 * What secrets look like, and what is left of them. Every repetition before a match is bounded: a long line costs no more than
 * its length.
 */
const shapes: readonly [RegExp, string][] = [
  [/-----BEGIN [^-]{1,64}-----[\s\S]*?(?:-----END [^-]{1,64}-----|$)/g, redacted],
  [/([a-z][a-z0-9+.-]{0,20}:\/\/)[^\s/"']{1,500}@/gi, `$1${redacted}@`],
  [/\b(Bearer|Basic)\s+[\w+/=.~-]{6,}/gi, `$1 ${redacted}`],
  [/\b(?:edge\d+|op_[a-z2-7]{8})_[\w-]{12,}/g, redacted],
  [/\beyJ[\w-]{6,}\.[\w-]+\.?[\w-]*/g, redacted],
  [/\b(?:gh[a-z]|glpat|xox[a-z]|sk|pk|AKIA|ASIA|dckr_pat)[_-]?[\w-]{16,}/g, redacted],
  // NAME=value, name: value, "name":"value" and --name value, whatever stands before and after the word.
  [
    new RegExp(
      `((?:${secretWords})[\\w.-]{0,24}\\\\?["']?\\s{0,8}[=:]\\s{0,8})(\\\\?"(?:[^"\\\\]|\\\\.)*"|'[^']*'|[^\\s,;&}\\]"']+)`,
      "gi",
    ),
    `$1${redacted}`,
  ],
  [new RegExp(`(--[\\w-]{0,40}(?:${secretWords})[\\w-]{0,24}\\s{1,8})(?!-)\\S+`, "gi"), `$1${redacted}`],
];

/** A text without what looks like a secret. */
export function redactText(text: string): string {
  const known = shapes.reduce((rest, [shape, left]) => rest.replace(shape, left), text);
  return known.replace(/[A-Za-z0-9+/_-]{32,}={0,2}/g, (one) => (isRandom(one) ? redacted : one));
}

/** Whether a long word is a key in base64. Paths have many slashes, and ids and digests no capital letters. */
function isRandom(word: string): boolean {
  const slashes = word.split("/").length - 1;
  return /[A-Z]/.test(word) && /[a-z]/.test(word) && /\d/.test(word) && slashes * 12 < word.length;
}
