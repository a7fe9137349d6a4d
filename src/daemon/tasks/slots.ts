import { availableParallelism, totalmem } from "node:os";
import { optional, size, whole } from "../../base/setting-kinds.ts";
import type { Settings } from "../../base/settings.ts";

/** What an operator decides about tasks. */
export const taskSettings = {
  "tasks.slots": optional(
    whole({
      default: 0,
      min: 1,
      max: 256,
      doc: "How many tasks run at once on this node; when not set, four for each CPU, and not more than its memory holds at 256 MiB each.",
    }),
  ),
  "tasks.queue_limit": whole({
    default: 1_000,
    min: 1,
    max: 100_000,
    doc: "How many tasks may wait; one more is refused.",
  }),
  "tasks.kept": whole({
    default: 1_000,
    min: 0,
    max: 100_000,
    doc: "How many finished tasks are kept to be read, with what they answered and wrote.",
  }),
  "tasks.kept_size": size({
    default: 256 << 20,
    min: 1 << 20,
    max: 64 * 2 ** 30,
    doc: "How much of what finished tasks answered and wrote is kept, and how much the input of those that wait may be.",
  }),
} satisfies Settings;

/** How many tasks run at once where nobody says: a program that waits needs no CPU, but each has its memory. */
export function usualSlots(machine = { cpus: availableParallelism(), memoryBytes: totalmem() }): number {
  const byMemory = Math.floor(machine.memoryBytes / (256 << 20));
  return Math.max(1, Math.min(4 * machine.cpus, byMemory));
}
