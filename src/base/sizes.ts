const bytesOf: Record<string, number> = {
  "": 1,
  b: 1,
  k: 1e3,
  m: 1e6,
  g: 1e9,
  t: 1e12,
  ki: 2 ** 10,
  mi: 2 ** 20,
  gi: 2 ** 30,
  ti: 2 ** 40,
};

/** What `parseSizeBytes` takes, as a sentence for people. */
export const sizeAllowed =
  "a size such as 1048576, 512MB (512,000,000 bytes), 2G (2,000,000,000) or 512Mi (536,870,912)";

/**
 * A size as people write it, in bytes: `2G` and `2GB` are two billion, `2Gi` and `2GiB` two times 2^30, `1.5G` is allowed
 * where it makes whole bytes. Undefined for anything else: another unit, a sign, an exponent, a size that a double cannot hold.
 */
export function parseSizeBytes(text: string): number | undefined {
  const [, digits, unit] = /^\s*(\d{1,16}(?:\.\d{1,6})?)\s*([kmgt]?i?b?)\s*$/i.exec(text) ?? [];
  if (digits === undefined || unit === undefined) return undefined;
  const name = unit.toLowerCase();
  const factor = bytesOf[name] ?? bytesOf[name.replace(/b$/, "")];
  if (factor === undefined) return undefined;
  const bytes = Number(digits) * factor;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
