import { readFileSync, writeFileSync } from "node:fs";

export interface Spoken {
  direction: "up" | "down";
  frame: Record<string, unknown>;
}

const page = new URL("../../../docs/protocol.md", import.meta.url).pathname;
const [begin, end] = ["<!-- recorded: begin -->", "<!-- recorded: end -->"];

/** Writes an exchange into docs/protocol.md, between its two marks: one frame a line, beats left out. */
export function record(spoken: readonly Spoken[]): void {
  const lines = spoken
    .filter(({ frame }) => !("beat" in frame))
    .map(({ direction, frame }) => `${direction === "up" ? "node ►" : "◄ hub "} ${JSON.stringify(frame)}`);
  const text = readFileSync(page, "utf8");
  const [before, rest] = [text.slice(0, text.indexOf(begin)), text.slice(text.indexOf(end))];
  writeFileSync(page, `${before}${begin}\n\`\`\`\n${lines.join("\n")}\n\`\`\`\n${rest}`);
}
