/**
 * Loaded into a program under watch (`node --expose-gc --import`): at SIGUSR2 it collects all garbage and writes into a file
 * what is left then, so that a leak can be told from garbage that waits.
 */
import { renameSync, writeFileSync } from "node:fs";
import { getHeapSpaceStatistics } from "node:v8";

/** What a program holds after its garbage was collected, in bytes, and what it has open, by kind. */
export interface Held {
  heapBytes: number;
  /** Of it what V8 compiled, which grows for the first hour or two and then no more. */
  codeBytes: number;
  /** Outside of the heap: buffers, and what native code told Node of. */
  outsideBytes: number;
  open: Record<string, number>;
}

/** Where the program with this process id writes it. */
export function heldFile(folder: string, pid: number): string {
  return `${folder}/${pid}.held`;
}

/** Names the folder to the program. It does not begin with ORCHESTRATOR_: that would be a setting. */
export const folderVariable = "SOAK_FOLDER";

const folder = process.env[folderVariable];
if (folder !== undefined && globalThis.gc) {
  process.on("SIGUSR2", () => {
    // Twice: what waited for a finalizer goes with the second.
    globalThis.gc?.();
    globalThis.gc?.();
    const { heapUsed, external } = process.memoryUsage();
    const spaces = getHeapSpaceStatistics().filter(({ space_name: name }) => /^(?:code|trusted)/.test(name));
    const codeBytes = spaces.reduce((sum, { space_used_size: bytes }) => sum + bytes, 0);
    const open: Record<string, number> = {};
    for (const kind of process.getActiveResourcesInfo()) open[kind] = (open[kind] ?? 0) + 1;
    const held: Held = { heapBytes: heapUsed, codeBytes, outsideBytes: external, open };
    const file = heldFile(folder, process.pid);
    writeFileSync(`${file}.new`, JSON.stringify(held));
    renameSync(`${file}.new`, file);
  });
}
