import { type GenericSchema, safeParse } from "valibot";
import { evidence } from "./evidence.ts";
import { type FieldViolation, invalidFields } from "./failure.ts";
import { nearest } from "./nearest.ts";
import { readYamlFile } from "./yaml-file.ts";

/** One setting. `setting-kinds.ts` makes the usual ones. */
export interface Setting<T> {
  /** Takes what a file, a variable or a flag gives, and says what it is worth. */
  schema: GenericSchema<unknown, T>;
  default: T;
  /** One sentence for people: what it does, and its unit. */
  doc: string;
  /** What is allowed, as the end of "must be ...". */
  allowed: string;
  /** A secret is never printed, neither as a value nor as evidence of a mistake. */
  secret?: boolean;
  /** Of a value with parts: each mistake by its place, as in `llm_providers[0].url`. */
  explain?: (given: unknown) => FieldViolation[];
}

/** Settings by key: lower-case words joined by dots, as in `hub.line.port`; `_` within a word. */
export type Settings = Readonly<Record<string, Setting<unknown>>>;

export type SettingValues<D extends Settings> = {
  readonly [K in keyof D]: D[K] extends Setting<infer T> ? T : never;
};

/** Where values come from. Flags win over environment, environment over file, file over defaults. */
export interface SettingSources {
  /** By name without the leading dashes: `hub-line-port`. */
  flags: Readonly<Record<string, string | undefined>>;
  env: NodeJS.ProcessEnv;
  /** Path of a YAML or JSON file. */
  file?: string | undefined;
  /**
   * Key prefixes that any of our programs knows, so that one file or one environment may configure all of them. The longest
   * prefix of a key decides: a key that is not ours under a prefix that is ours is a mistake, under another one it is
   * somebody else's.
   */
  sections: readonly string[];
  /** Variables that begin with `ORCHESTRATOR_` and are not settings. */
  otherVariables?: readonly string[];
}

export interface LoadedSettings<D extends Settings> {
  /** Frozen. */
  values: SettingValues<D>;
  /** `default`, `file <path>`, `environment ORCHESTRATOR_X` or `flag --x`. */
  origin: Readonly<Record<keyof D & string, string>>;
}

/** The variable of a key: `hub.line.port` is `ORCHESTRATOR_HUB_LINE_PORT`. */
export function variableOf(key: string): string {
  return `${variablePrefix}${key.replaceAll(".", "_").toUpperCase()}`;
}

/** The flag of a key, without the leading dashes: `hub.line.port` is `hub-line-port`. */
export function flagOf(key: string): string {
  return key.replaceAll(/[._]/g, "-");
}

/**
 * Reads every source once. An empty variable counts as not set.
 * @throws {Failure} invalid: all unknown keys and bad values at once, each with where it stands and what is allowed.
 */
export async function loadSettings<D extends Settings>(
  definitions: D,
  sources: SettingSources,
): Promise<LoadedSettings<D>> {
  const violations: FieldViolation[] = [];
  const given: Given[] = [];
  if (sources.file !== undefined) {
    const tree = await readYamlFile(sources.file, "the settings file");
    fromFile(definitions, sources, tree, given, violations);
  }
  fromEnvironment(definitions, sources, given, violations);
  fromFlags(definitions, sources, given, violations);

  const values: Record<string, unknown> = {};
  const origin: Record<string, string> = {};
  for (const [key, setting] of Object.entries(definitions)) {
    values[key] = setting.default;
    origin[key] = "default";
  }
  // In order of precedence, lowest first; a value that is overridden must be right nevertheless.
  for (const { key, value, from } of given) {
    const setting = definitions[key];
    if (!setting) continue;
    const parsed = safeParse(setting.schema, value);
    if (parsed.success) {
      values[key] = parsed.output;
      origin[key] = from;
    } else {
      const seen = setting.secret ? "the value" : evidence(value);
      const whole = { field: key, message: `${seen} (${from}) is refused: must be ${setting.allowed}` };
      const parts = setting.explain?.(value) ?? [];
      const told = parts.map((one) => ({ ...one, message: `${one.message} (${from})` }));
      violations.push(...(told.length > 0 ? told : [whole]));
    }
  }
  if (violations.length > 0) throw invalidFields(violations);
  // Every key of the definitions was given its default or what its own schema made.
  return {
    values: Object.freeze(values) as SettingValues<D>,
    origin: Object.freeze(origin),
  };
}

const variablePrefix = "ORCHESTRATOR_";

interface Given {
  key: string;
  value: unknown;
  from: string;
}

function fromFile(
  definitions: Settings,
  { file, sections }: SettingSources,
  tree: Map<unknown, unknown>,
  given: Given[],
  violations: FieldViolation[],
): void {
  const from = `file ${file}`;
  const seen = new Set<string>();
  const walk = (branch: Map<unknown, unknown>, path: string): void => {
    for (const [name, value] of branch) {
      const word = typeof name === "string" ? name : evidence(name);
      const key = path === "" ? word : `${path}.${word}`;
      const isKey = Object.hasOwn(definitions, key);
      if (!isKey && value instanceof Map) {
        walk(value, key);
        continue;
      }
      const isSection = !isKey && isAbove(key, definitions, sections);
      if (isSection && value === null) continue;
      if (isKey && seen.has(key)) {
        violations.push({ field: key, message: `stands more than once (${from})` });
      } else if (isKey) {
        given.push({ key, value, from });
      } else if (isSection) {
        violations.push({
          field: key,
          message: `${evidence(value)} (${from}) is refused: ${key} is a section, with keys below it`,
        });
      } else if (isMistake(key, ".", definitions, sections, (one) => one)) {
        violations.push(
          unknown(evidence(key).slice(1, -1), `(${from})`, nearest(key, Object.keys(definitions))),
        );
      }
      seen.add(key);
    }
  };
  walk(tree, "");
}

function fromEnvironment(
  definitions: Settings,
  { env, sections, otherVariables = [] }: SettingSources,
  given: Given[],
  violations: FieldViolation[],
): void {
  const keyOf = new Map(Object.keys(definitions).map((key) => [variableOf(key), key]));
  // Without the prefix that all share: it would make everything look alike.
  const rests = [...keyOf.keys()].map((name) => name.slice(variablePrefix.length));
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith(variablePrefix) || otherVariables.includes(name)) continue;
    const key = keyOf.get(name);
    if (key === undefined) {
      if (isMistake(name, "_", definitions, sections, variableOf)) {
        const near = nearest(name.slice(variablePrefix.length), rests);
        const hint = near && `${variablePrefix}${near}`;
        violations.push(unknown(evidence(name).slice(1, -1), "in the environment", hint));
      }
    } else if (value !== undefined && value !== "") given.push({ key, value, from: `environment ${name}` });
  }
}

function fromFlags(
  definitions: Settings,
  { flags }: SettingSources,
  given: Given[],
  violations: FieldViolation[],
): void {
  const keyOf = new Map(Object.keys(definitions).map((key) => [flagOf(key), key]));
  for (const [name, value] of Object.entries(flags)) {
    if (value === undefined) continue;
    const key = keyOf.get(name);
    if (key !== undefined) given.push({ key, value, from: `flag --${name}` });
    else {
      const near = nearest(name, keyOf.keys());
      violations.push(
        unknown(evidence(`--${name}`).slice(1, -1), "on the command line", near && `--${near}`),
      );
    }
  }
}

/** Whether a name that is not ours stands where only ours may stand, or where nobody's does. */
function isMistake(
  name: string,
  joint: string,
  definitions: Settings,
  sections: readonly string[],
  written: (key: string) => string,
): boolean {
  const prefixes = sections.map(written);
  const prefixOf = (one: string) =>
    prefixes
      .filter((prefix) => one === prefix || one.startsWith(`${prefix}${joint}`))
      .sort((a, b) => b.length - a.length)[0];
  const section = prefixOf(name);
  return section === undefined || Object.keys(definitions).some((key) => prefixOf(written(key)) === section);
}

/** Whether keys stand below this one. A section without a dot always is one; another may be a single key of a program. */
function isAbove(key: string, definitions: Settings, sections: readonly string[]): boolean {
  const below = [...Object.keys(definitions), ...sections].some((one) => one.startsWith(`${key}.`));
  return below || (!key.includes(".") && sections.includes(key));
}

function unknown(field: string, where: string, near: string | undefined): FieldViolation {
  const hint = near === undefined ? "--print-config lists the known ones" : `did you mean ${near}?`;
  return { field, message: `is not a known setting ${where}; ${hint}` };
}
