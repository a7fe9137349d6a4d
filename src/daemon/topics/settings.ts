import { size, whole } from "../../base/setting-kinds.ts";
import type { Settings, SettingValues } from "../../base/settings.ts";
import type { Kept } from "./log.ts";

/** What an operator decides about topics. */
export const topicSettings = {
  "topics.kept": whole({
    default: 100_000,
    min: 1_000,
    max: 10_000_000,
    doc: "Messages of topics that are kept to be read again; the oldest go first.",
  }),
  "topics.kept_size": size({
    default: 64 << 20,
    min: 1 << 20,
    max: 2 ** 30,
    doc: "How much room these messages may take on disk; the oldest go first.",
  }),
} satisfies Settings;

/** The same, as the room takes them. */
export function topicsKeptOf(config: SettingValues<typeof topicSettings>): Kept {
  return { messages: config["topics.kept"], bytes: config["topics.kept_size"] };
}
