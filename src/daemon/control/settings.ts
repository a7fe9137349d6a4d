import * as v from "valibot";
import { list, oneOf, optional, path } from "../../base/setting-kinds.ts";
import type { Setting, Settings, SettingValues } from "../../base/settings.ts";
import type { ProxyNames } from "../../wire/proxy.ts";

/** How the way to the hub is taken, by the line and by enrolment, and that to bundles of the daemon. */
export const lineSettings = {
  "line.profile": oneOf(["prompt", "metered", "frugal"], {
    default: "prompt",
    doc: "How often the node and its hub say that they are alive: as the hub likes; each minute, there and back, at most 12 MB a month; each 20 minutes, at most 1 MB a month.",
  }),
  "line.proxy": optional(
    proxyUrl({
      doc: "HTTP proxy between this node and its hub, and to bundles of the daemon; that of https_proxy when not set.",
    }),
  ),
  "line.proxy_credentials_file": optional(
    path({ default: "", doc: "File with name:password for the proxy, on one line; read at each dial." }),
  ),
  "line.proxy_ca_file": optional(
    path({
      default: "",
      doc: "PEM file of the authority of an https:// proxy's own certificate. The hub is held against the hub's own authority, whatever is here.",
    }),
  ),
  "line.no_proxy": list({
    default: [],
    isItem: (one) => /^[A-Za-z0-9*._:/[\]-]{1,255}$/.test(one),
    most: 256,
    isNoneAllowed: true,
    doc: "Hosts, ends of host names and address ranges that are dialled without a proxy; those of no_proxy when empty.",
    allowed: "a list of hosts, name endings, ranges as in 10.0.0.0/8, or *, separated by commas",
  }),
} satisfies Settings;

export type LineSettings = SettingValues<typeof lineSettings>;

/** Where the proxy is named: by the settings, else by the environment. */
export function proxyNamesOf(settings: LineSettings, env: NodeJS.ProcessEnv): ProxyNames {
  return {
    env,
    url: settings["line.proxy"],
    noProxy: settings["line.no_proxy"],
    credentialsFile: settings["line.proxy_credentials_file"],
    caFile: settings["line.proxy_ca_file"],
  };
}

/** A name and a password are no part of it: it is printed with the other settings. */
function proxyUrl({ doc }: { doc: string }): Omit<Setting<string>, "default"> {
  const schema = v.pipe(v.string(), v.regex(/^https?:\/\/[^\s/@?#]+\/?$/));
  return {
    ...{ schema, doc, secret: false },
    allowed: "http://host:port or https://host:port, with name and password in line.proxy_credentials_file",
  };
}
