import { oneOf, optional, path, size, whole } from "../../base/setting-kinds.ts";
import type { Settings, SettingValues } from "../../base/settings.ts";
import { profileNames } from "./profiles.ts";
import type { PolicyDefaults } from "./ruleset.ts";

/** What an operator decides about policy beside its file. */
export const policySettings = {
  "policy.file": optional(
    path({
      default: "",
      doc: "The policy file of this node: profile, lists, quotas and rules. Without one the profile alone is in force. No command writes it.",
    }),
  ),
  "policy.profile": oneOf(profileNames, {
    default: "standard",
    doc: "The built-in profile, unless the policy file names one: `strict` allows what is listed and nothing else.",
  }),
  "policy.max_containers": whole({
    default: 10,
    min: 0,
    max: 10_000,
    doc: "Most containers that agents have at once on this node, those that wait for a task included; 0 for no limit. The quota `max_containers` of the policy file outranks it.",
  }),
  "policy.max_memory": size({
    default: 512_000_000,
    min: 0,
    max: 2 ** 50,
    doc: "Most memory of one container of an agent, as in 512MB; 0 for no limit. The quota `max_memory` of the policy file outranks it.",
  }),
} satisfies Settings;

/** The same, as the room takes them. */
export interface PolicySettings extends PolicyDefaults {
  /** `policy.file` */
  file: string | undefined;
}

type Config = SettingValues<typeof policySettings> &
  Readonly<Record<"policy.devices" | "policy.capabilities", readonly string[]>>;

export function policySettingsOf(config: Config): PolicySettings {
  return {
    file: config["policy.file"],
    profile: config["policy.profile"],
    allow: { devices: config["policy.devices"], capabilities: config["policy.capabilities"] },
    quotas: {
      max_containers: BigInt(config["policy.max_containers"]),
      max_memory: BigInt(config["policy.max_memory"]),
    },
  };
}
