import { join } from "node:path";
import { days, milliseconds, optional, path, whole } from "../../base/setting-kinds.ts";
import type { Settings, SettingValues } from "../../base/settings.ts";
import type { ImageSettings } from "./images.ts";

/** What an operator decides about images. */
export const imageSettings = {
  "images.pulls_at_once": whole({
    default: 2,
    min: 1,
    max: 16,
    doc: "How many images are pulled at once; the others wait.",
  }),
  "images.silence_ms": milliseconds({
    default: 120_000,
    min: 1_000,
    max: 3_600_000,
    doc: "A pull of which nothing came for so long counts as hanging and is tried again, in milliseconds.",
  }),
  "images.credentials": optional(
    path({
      default: "",
      doc: "File that says who registries are asked as, in the format of docker's config.json, with mode 0600; registries.json in daemon.data_dir when not set. It need not be there.",
    }),
  ),
  "images.keep_unused_days": days({
    default: 14,
    min: 0,
    max: 3650,
    doc: "An image that the daemon pulled and that nobody has used for so many days is removed.",
  }),
  "images.clean_above_percent": whole({
    default: 80,
    min: 1,
    max: 100,
    doc: "When the engine's disk is fuller than so many percent, every unused image that the daemon pulled is removed.",
  }),
  "images.refuse_above_percent": whole({
    default: 92,
    min: 1,
    max: 100,
    doc: "When it is still fuller than so many percent after that, nothing is pulled.",
  }),
} satisfies Settings;

const dayMs = 86_400_000;

/** The same, as the room takes them. */
export function imageSettingsOf(config: SettingValues<typeof imageSettings>, dataDir: string): ImageSettings {
  return {
    pullsAtOnce: config["images.pulls_at_once"],
    silenceMs: config["images.silence_ms"],
    credentialsFile: config["images.credentials"] ?? join(dataDir, "registries.json"),
    keepUnusedMs: config["images.keep_unused_days"] * dayMs,
    cleanAbovePercent: config["images.clean_above_percent"],
    refuseAbovePercent: config["images.refuse_above_percent"],
  };
}
