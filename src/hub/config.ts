import { isIP } from "node:net";
import * as v from "valibot";
import { days, hosts, milliseconds, optional, path, port, size, toggle } from "../base/setting-kinds.ts";
import type { Setting, Settings, SettingValues } from "../base/settings.ts";
import { metricsListen } from "../wire/figures-page.ts";
import { defaultBeatMs } from "../wire/limits.ts";
import { defaultStateFolder, logSettings } from "../wire/settings.ts";
import { isTrustDomain } from "../wire/tls.ts";
import { traceSettings } from "../wire/tracer.ts";
import { busSettings } from "./bus/index.ts";
import { keepingSettings } from "./keeping.ts";
import { storeSettings } from "./store/index.ts";

/** Who runs the hub decides where it keeps its state when nobody says. */
export interface Surroundings {
  env: NodeJS.ProcessEnv;
  uid: number;
  home: string;
}

/** The hub's settings: key, default, unit, what is allowed. */
export function hubSettings({ env, uid, home }: Surroundings) {
  return {
    "hub.data_dir": path({
      default: defaultStateFolder("hub", env, uid, home),
      doc: "Folder of the hub's state, its authority and its first operator token.",
    }),
    "hub.listen": address({
      default: "127.0.0.1",
      doc: "Address that the line and the API listen on; 0.0.0.0 or :: for all of this machine's.",
    }),
    "hub.line.port": port({ default: 7443, doc: "Port that nodes keep their line to.", zeroAllowed: true }),
    "hub.api.port": port({ default: 7444, doc: "Port of the API and of enrolment.", zeroAllowed: true }),
    "hub.advertise": hosts({
      default: [],
      doc: "Host names and addresses by which nodes reach this hub; what it listens on when empty.",
    }),
    "hub.trust_domain": optional<string>({
      schema: v.pipe(v.string(), v.check(isTrustDomain)),
      doc: "Name of this fleet in every certificate; fixed at the first start.",
      allowed: "a name of lower-case letters, digits, '.' and '-'",
    }),
    "hub.new_admin_token": toggle({
      default: false,
      doc: "Whether this start makes a new admin token, in admin.token: for who has lost them all.",
    }),
    "hub.ca.certificate_file": optional(
      path({
        default: "",
        doc: "PEM file of your own authority, up to its root; the hub makes one when not set.",
      }),
    ),
    "hub.ca.key_file": optional(path({ default: "", doc: "PEM file of that authority's private key." })),
    "hub.node_certificate_days": days({
      default: 30,
      min: 0.0001,
      max: 7300,
      doc: "How long a node's certificate is good, in days; the node renews it at two thirds of that.",
    }),
    "hub.renewal_grace_days": days({
      default: 30,
      min: 0,
      max: 7300,
      doc: "How long after its end a node's certificate may still be renewed by its key, in days.",
    }),
    "hub.beat_interval_ms": milliseconds({
      default: defaultBeatMs,
      min: 100,
      max: 300_000,
      doc: "Time between two beats of a node, in milliseconds.",
    }),
    "hub.metrics.listen": metricsListen("the hub's"),
    "hub.results_size_per_node": size({
      default: 64 * 2 ** 20,
      min: 32 * 2 ** 20,
      max: 2 ** 40,
      doc: "Disk that the finished commands of one node may take; what the oldest large results answered goes first.",
    }),
    ...keepingSettings,
    ...storeSettings,
    ...busSettings,
    ...traceSettings,
    ...logSettings,
  } satisfies Settings;
}

export type HubConfig = SettingValues<ReturnType<typeof hubSettings>>;

function address({ default: byDefault, doc }: { default: string; doc: string }): Setting<string> {
  const schema = v.pipe(
    v.string(),
    v.check((given) => isIP(given) !== 0),
  );
  return { schema, default: byDefault, doc, allowed: "an IP address of this machine" };
}
