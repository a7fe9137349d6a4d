import { Resolver } from "node:dns";
import { list, optional, port } from "../../base/setting-kinds.ts";
import type { Settings, SettingValues } from "../../base/settings.ts";

/** What an operator decides about the network of agents. */
export const egressSettings = {
  "egress.resolver_port": port({
    default: 10053,
    doc: "Port of the node's own address on the network of agents where what they ask of names is answered, UDP and TCP.",
  }),
  "egress.name_servers": optional(
    list({
      default: [],
      isItem: isNameServer,
      most: 8,
      allowed: "addresses such as 10.0.0.53 or [fd00::53]:5353, separated by commas",
      doc: "Who is asked what names mean for agents; the node's own name servers when not set.",
    }),
  ),
} satisfies Settings;

function isNameServer(text: string): boolean {
  try {
    new Resolver().setServers([text]);
    return true;
  } catch {
    return false; // The setting says what is allowed.
  }
}

export interface EgressSettings {
  resolverPort: number;
  /** Those of the node when there are none. */
  nameServers: readonly string[];
}

export function egressSettingsOf(config: SettingValues<typeof egressSettings>): EgressSettings {
  return {
    resolverPort: config["egress.resolver_port"],
    nameServers: config["egress.name_servers"] ?? [],
  };
}
