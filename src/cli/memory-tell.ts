import type { SearchMemoryResponse } from "../../gen/edge/v1/memory_pb.ts";
import { moment } from "./answer.ts";
import { formatLabels } from "./labels.ts";
import { printable } from "./table.ts";

/** What was found: a line about each memory, and below that its text, with nothing in it that could steer the terminal. */
export function memoriesInWords(
  { entries, searched }: SearchMemoryResponse,
  { isByMeaning }: { isByMeaning: boolean },
): string {
  if (entries.length === 0) return `nothing, of ${searched} memories that were looked at\n`;
  return entries
    .map(({ id, text, attributes, at, agent, similarity }) => {
      const by = agent === "" ? "" : `agent ${agent}`;
      const near = isByMeaning ? similarity.toFixed(3) : "";
      const about = [near, id, moment(at), by, formatLabels(attributes)].filter((one) => one !== "");
      const lines = text.replaceAll("\t", "    ").split(/\r?\n/);
      return `${printable(about.join("  "))}\n${lines.map((line) => `    ${printable(line)}\n`).join("")}`;
    })
    .join("");
}
