import { milliseconds, optional, path } from "../base/setting-kinds.ts";
import type { Settings, SettingValues } from "../base/settings.ts";
import { defaultNetmonSocket, logSettings } from "../wire/settings.ts";

/** Who runs netmon decides where its socket is when nobody says. */
export interface Surroundings {
  env: NodeJS.ProcessEnv;
  uid: number;
  home: string;
}

/** Netmon's settings: key, default, unit, what is allowed. */
export function netmonSettings({ env, uid, home }: Surroundings) {
  return {
    "netmon.socket": path({
      default: defaultNetmonSocket(env, uid, home),
      doc: "The unix socket where netmon tells of the network.",
    }),
    "netmon.data_dir": optional(
      path({
        default: "",
        doc: "Folder where netmon keeps what is attached and which leases it holds; that of its socket when not set.",
      }),
    ),
    "netmon.dev_dir": path({
      default: "/dev",
      doc: "Folder of the node's devices, where a netmon that runs in a container sees it.",
    }),
    "netmon.settle_ms": milliseconds({
      default: 1_000,
      min: 0,
      max: 10_000,
      doc: "How long an interface must stay the same before its change is told, in milliseconds. A loss is told at once.",
    }),
    "netmon.look_every_ms": milliseconds({
      default: 30_000,
      min: 1_000,
      max: 3_600_000,
      doc: "How often netmon looks although the kernel gave no notice, in milliseconds.",
    }),
    ...logSettings,
  } satisfies Settings;
}

export type NetmonConfig = SettingValues<ReturnType<typeof netmonSettings>>;
