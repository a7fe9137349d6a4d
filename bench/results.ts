/** `results` with this section in the place of the one of the same title, or at the end when there was none. Both are Markdown. */
export function merged(results: string, section: string): string {
  const titleOf = (text: string) => text.split("\n", 1)[0]?.trim();
  const parts = results.split(/^(?=## )/m).map((part) => `${part.trimEnd()}\n`);
  const at = parts.findIndex((part) => titleOf(part) === titleOf(section));
  parts.splice(at < 0 ? parts.length : at, at < 0 ? 0 : 1, `${section.trimEnd()}\n`);
  return parts.join("\n");
}
