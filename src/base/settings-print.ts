import { type LoadedSettings, type Settings, variableOf } from "./settings.ts";

/**
 * What `--print-config` prints: every key, its effective value, and where it came from. A secret is `[set]` or `[not set]`.
 * As JSON, an object by key of `{ value, origin, default, allowed, doc, variable }`.
 */
export function printSettings<D extends Settings>(
  definitions: D,
  { values, origin }: LoadedSettings<D>,
  { json }: { json: boolean },
): string {
  const entries = Object.entries(definitions).map(([key, setting]) => {
    const shown = (value: unknown) => (setting.secret ? (isSet(value) ? "[set]" : "[not set]") : value);
    return {
      key,
      setting,
      value: shown(values[key]),
      byDefault: shown(setting.default),
      from: origin[key] ?? "",
    };
  });
  if (json) {
    const object = Object.fromEntries(
      entries.map(({ key, setting, value, byDefault, from }) => [
        key,
        {
          value: value ?? null,
          origin: from,
          default: byDefault ?? null,
          allowed: setting.allowed,
          doc: setting.doc,
          variable: variableOf(key),
        },
      ]),
    );
    return `${JSON.stringify(object, null, 2)}\n`;
  }
  const rows = [
    ["KEY", "VALUE", "FROM"] as const,
    ...entries.map(({ key, value, from }) => [key, inLine(value), from] as const),
  ];
  const width = (column: 0 | 1) => Math.max(...rows.map((row) => row[column].length));
  const [first, second] = [width(0), width(1)];
  return rows
    .map(([key, value, from]) => `${key.padEnd(first)}  ${value.padEnd(second)}  ${from}\n`)
    .join("");
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== "";
}

function inLine(value: unknown): string {
  if (value === undefined || value === "") return "-";
  if (Array.isArray(value)) return value.length === 0 ? "-" : value.join(",");
  return String(value);
}
