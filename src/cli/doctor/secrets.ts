import { readFile } from "node:fs/promises";
import { errorChain } from "../../base/failure.ts";

/** What the kernel swaps to; nothing where it does not. */
export async function lookAtSwap(): Promise<string[]> {
  const lines = (await readFile("/proc/swaps", "utf8")).trim().split("\n").slice(1);
  return lines.map((line) => line.split(/\s+/)[0] ?? "");
}

/** Knocks at each address: any answer is one. */
export async function knockAt(urls: readonly string[], signal: AbortSignal) {
  return await Promise.all(
    urls.map(async (url) => {
      try {
        await fetch(url, { method: "HEAD", redirect: "manual", signal });
        return { url, problem: "" };
      } catch (thrown) {
        return { url, problem: errorChain(thrown) };
      }
    }),
  );
}
