/** The code of an error of Node or of a program that it ran, such as `ENOENT` or `2`; empty when it has none. */
export function systemCode(error: unknown): string {
  if (!(error instanceof Error) || !("code" in error)) return "";
  return typeof error.code === "string" || typeof error.code === "number" ? String(error.code) : "";
}
