/** How what ships starts Node and has its memory, read where it is written: what is measured is what ships. */
import { readFileSync } from "node:fs";

export interface Shipped {
  /** Words for Node itself. */
  node: string[];
  env: Record<string, string>;
}

const textOf = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

/** The daemon, by its unit. */
export function shippedDaemon(): Shipped {
  const unit = textOf("install/systemd/orchestrator-daemon.service");
  const [, words] = mustMatch(/^ExecStart=\S+\/node ((?:--\S+ )+)/m, unit);
  return { node: wordsOf(words), env: pairsOf(unit, /^Environment=(\w+)=(.+)$/gm) };
}

/** The hub, by the image. */
export function shippedHub(): Shipped {
  const image = textOf("Dockerfile");
  const [, words] = mustMatch(/NODE_OPTIONS="([^"]+)"/, image);
  return { node: wordsOf(words), env: pairsOf(image, /\b(MALLOC_\w+)=(\S+)/g) };
}

function mustMatch(pattern: RegExp, text: string): RegExpExecArray {
  const found = pattern.exec(text);
  if (!found) throw new Error(`nothing here is like ${pattern}: what ships is written in another way now`);
  return found;
}

function wordsOf(words = ""): string[] {
  return words.split(" ").filter((word) => word !== "");
}

function pairsOf(text: string, pattern: RegExp): Record<string, string> {
  return Object.fromEntries(
    Array.from(text.matchAll(pattern), ([, name = "", value = ""]) => [name, value] as const),
  );
}
