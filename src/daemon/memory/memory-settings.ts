import { size, whole } from "../../base/setting-kinds.ts";
import type { Settings, SettingValues } from "../../base/settings.ts";

/** What an operator decides about memories. */
export const memorySettings = {
  "memory.entries_per_group": whole({
    default: 10_000,
    min: 1,
    max: 1_000_000,
    doc: "How many memories a group holds. A search looks at each: about 2 ms for a thousand of 768 dimensions.",
  }),
  "memory.max_size": size({
    default: 256 << 20,
    min: 1 << 20,
    max: 2 ** 40,
    doc: "How much all memories of the node may be together: texts, attributes and embeddings.",
  }),
} satisfies Settings;

/** The same, as the room takes them. */
export interface MemorySettings {
  entriesPerGroup: number;
  maxBytes: number;
}

export function memorySettingsOf(config: SettingValues<typeof memorySettings>): MemorySettings {
  return { entriesPerGroup: config["memory.entries_per_group"], maxBytes: config["memory.max_size"] };
}
