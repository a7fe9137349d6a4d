import * as v from "valibot";
import { optional, path } from "../../base/setting-kinds.ts";
import type { Setting, Settings } from "../../base/settings.ts";

/** The bus of a hub that is alone. */
export const inProcess = "in-process";

/** The settings of the bus. */
export const busSettings = {
  "hub.bus_url": {
    schema: v.pipe(
      v.string(),
      v.check((given) => given === inProcess || given.split(",").every(isServer)),
    ),
    default: inProcess,
    doc: "How replicas of this hub hear of one another: in-process for one that is alone, or NATS servers.",
    allowed: "in-process, or nats:// or tls:// URLs with host and port, separated by commas",
    secret: true, // It may hold a password.
  } satisfies Setting<string>,
  "hub.bus_ca_file": optional(
    path({
      default: "",
      doc: "PEM file of the authority of the NATS servers; this system's own when not set.",
    }),
  ),
  "hub.bus_credentials_file": optional(
    path({ default: "", doc: "Credentials file (.creds) for the NATS servers, when the URL holds none." }),
  ),
} satisfies Settings;

function isServer(given: string): boolean {
  const url = URL.parse(given);
  return (
    url !== null && ["nats:", "tls:"].includes(url.protocol) && url.hostname !== "" && url.pathname === ""
  );
}
