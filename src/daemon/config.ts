import * as v from "valibot";
import { milliseconds, optional, path } from "../base/setting-kinds.ts";
import type { Setting, Settings, SettingValues } from "../base/settings.ts";
import { metricsListen } from "../wire/figures-page.ts";
import { defaultNetmonSocket, defaultStateFolder, logSettings } from "../wire/settings.ts";
import { traceSettings } from "../wire/tracer.ts";
import { lineSettings } from "./control/index.ts";
import { credentialSettings } from "./credentials/index.ts";
import { egressSettings } from "./egress/index.ts";
import { llmSettings } from "./gateway/index.ts";
import { imageSettings } from "./images/index.ts";
import { allowSetting } from "./invoke/index.ts";
import { memorySettings } from "./memory/index.ts";
import { policySettings } from "./policy/index.ts";
import { sessionSettings } from "./sessions/index.ts";
import { taskSettings } from "./tasks/index.ts";
import { topicSettings } from "./topics/index.ts";
import { capabilitiesSetting, devicesSetting, usualCapabilities, usualDevices } from "./wishes/index.ts";

/** Who runs the daemon decides where it keeps its state when nobody says. */
export interface Surroundings {
  env: NodeJS.ProcessEnv;
  uid: number;
  home: string;
}

/** The daemon's settings: key, default, unit, what is allowed. */
export function daemonSettings({ env, uid, home }: Surroundings) {
  return {
    "daemon.data_dir": path({
      default: defaultStateFolder("daemon", env, uid, home),
      doc: "Folder of the daemon's state and of the node's identity.",
    }),
    "daemon.socket": optional(
      path({ default: "", doc: "The local socket; daemon.sock in daemon.data_dir when not set." }),
    ),
    "docker.host": engineHost({
      default: "unix:///var/run/docker.sock",
      doc: "Where the container engine is.",
    }),
    "netmon.socket": path({
      default: defaultNetmonSocket(env, uid, home),
      doc: "Where netmon is, which makes the vNICs of runtimes. It need not be there.",
    }),
    "runtimes.trust_after_ms": milliseconds({
      default: 60_000,
      min: 0,
      max: 86_400_000,
      doc: "How long a runtime's program must have run until the engine may start it again without the daemon, in milliseconds.",
    }),
    ...imageSettings,
    ...policySettings,
    "policy.capabilities": capabilitiesSetting({
      default: usualCapabilities,
      doc: "Capabilities that a runtime may ask for beside those of its profile. One that runs already keeps what it has.",
    }),
    "policy.devices": devicesSetting({
      default: usualDevices,
      doc: "Devices that a runtime may ask for, by their names below /dev; `*` stands for what is no `/`. One that runs already keeps what it has.",
    }),
    "invoke.allow": allowSetting({
      default: ["8443:/*", "published:/*"],
      doc: "Ports and paths of runtimes that callers may send HTTP requests to; `published` are the ports that a runtime's wish names, `*` at the end means all that begin so.",
    }),
    "daemon.metrics.listen": metricsListen("the node's"),
    "metrics.interval_ms": milliseconds({
      default: 5_000,
      min: 1_000,
      max: 300_000,
      doc: "Time between two samples of the node and its runtimes, in milliseconds.",
    }),
    ...lineSettings,
    ...taskSettings,
    ...topicSettings,
    ...sessionSettings,
    ...memorySettings,
    ...credentialSettings(env),
    ...llmSettings,
    ...egressSettings,
    ...traceSettings,
    ...logSettings,
  } satisfies Settings;
}

export type DaemonSettings = ReturnType<typeof daemonSettings>;
export type DaemonConfig = SettingValues<DaemonSettings>;

/** What a running daemon takes when its settings are read again; the rest counts after a restart. */
export const liveSettings = ["policy.*", "session.*", "memory.*", "tasks.*", "llm_providers", "log.level"];

/** Only local engines and engines over TCP within a machine's own networks: an engine is root on its machine. */
function engineHost({ default: byDefault, doc }: { default: string; doc: string }): Setting<string> {
  const schema = v.pipe(v.string(), v.regex(/^(?:unix:\/\/\/[^\0]+|(?:tcp|https?):\/\/[^\s/]+\/?)$/));
  return { schema, default: byDefault, doc, allowed: "unix:///path/of/a/socket, or tcp://host:port" };
}
