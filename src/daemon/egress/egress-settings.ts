import { isIP } from "node:net";
import { list, optional, port } from "../../base/setting-kinds.ts";
import type { Settings, SettingValues } from "../../base/settings.ts";

/** What an operator decides about the network of agents. */
export const egressSettings = {
  "egress.resolver_port": port({
    default: 10053,
    doc: "Port of the node's own address on the network of agents where their questions for names are answered, UDP and TCP.",
  }),
  "egress.name_servers": optional(
    list({
      default: [],
      isItem: (text) => isNameServer(text),
      most: 8,
      allowed: "addresses, each with a port if it is not 53, separated by commas",
      doc: "Who is asked what names mean for agents; those of the node when not set.",
    }),
  ),
} satisfies Settings;

function isNameServer(text: string): boolean {
  const [, host = "", port = "53"] = /^\[?([0-9a-fA-F:.]+?)\]?(?::(\d{1,5}))?$/.exec(text) ?? [];
  return (
    isIP(host) !== 0 &&
    Number(port) > 0 &&
    Number(port) < 65_536 &&
    (isIP(host) === 4 || /^\[|^[^\]]*$/.test(text))
  );
}

export interface EgressSettings {
  resolverPort: number;
  nameServers: readonly string[];
}

export function egressSettingsOf(config: SettingValues<typeof egressSettings>): EgressSettings {
  return {
    resolverPort: config["egress.resolver_port"],
    nameServers: config["egress.name_servers"] ?? [],
  };
}
