import { Resolver } from "node:dns";
import { list, optional, port, text } from "../../base/setting-kinds.ts";
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
  "egress.ipv6_subnet": optional(
    text({
      default: "",
      pattern: /^[0-9a-f:]+:[0-9a-f:]*\/(?:[1-9][0-9]|10[0-9]|11[0-2])$/,
      allowed: "an IPv6 range such as fd5c:27e1::/64, of /10 to /112",
      doc: "Range of IPv6 that agents with a network get addresses of. It must be routed to this node, or translated by the engine. They have no IPv6 when not set.",
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
