import { lstat } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { optional, path, port } from "../base/setting-kinds.ts";
import { loadSettings, type Settings, type SettingValues } from "../base/settings.ts";
import {
  defaultNetmonSocket,
  defaultStateFolder,
  otherVariables,
  settingSections,
  settingsFile,
} from "../wire/settings.ts";

/** What the machine tells a program about who runs it and where. */
export interface Surroundings {
  env: NodeJS.ProcessEnv;
  cwd: string;
  uid: number;
  home: string;
}

/** Where the settings file is when neither `--config` nor `ORCHESTRATOR_CONFIG` names one. */
const systemFile = "/etc/orchestrator/config.yaml";
const folderFile = ".orchestrator/config.yaml";

/** An address of a hub's API. Plain HTTP is refused: a token would be readable on the way. */
export function isHubUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url?.protocol === "https:" && url.username === "" && url.search === "" && url.hash === "";
}

/** The CLI's settings. Those of the hub, the daemon and netmon are here to find them on this machine. */
export function cliSettings({ env, uid, home }: Surroundings) {
  const folder = (program: string) => defaultStateFolder(program, env, uid, home);
  return {
    "hub.url": optional<string>({
      schema: v.pipe(v.string(), v.check(isHubUrl)),
      doc: "The hub's API. When not set, a hub on this machine is looked for.",
      allowed: "an address such as https://hub.example.com:7444",
    }),
    "hub.token_file": optional(path({ default: "", doc: "File that holds an operator token." })),
    "hub.ca_file": optional(
      path({ default: "", doc: "File with the hub's CA certificate; the system's CAs when not set." }),
    ),
    "hub.data_dir": path({ default: folder("hub"), doc: "Where a hub on this machine keeps its state." }),
    "hub.api.port": port({
      default: 7444,
      doc: "Port of the API of a hub on this machine.",
      zeroAllowed: true,
    }),
    "daemon.data_dir": path({
      default: folder("daemon"),
      doc: "Where a daemon on this machine keeps its state.",
    }),
    "daemon.socket": optional(
      path({ default: "", doc: "The daemon's local socket; daemon.sock in its data_dir when not set." }),
    ),
    "netmon.socket": path({
      default: defaultNetmonSocket(env, uid, home),
      doc: "The socket of netmon on this machine.",
    }),
  } satisfies Settings;
}

/**
 * Reads the CLI's settings. @throws {Failure} invalid: unknown keys and bad values, all at once.
 */
export async function loadCliSettings(
  flags: Record<string, string | undefined>,
  config: string | undefined,
  around: Surroundings,
): Promise<SettingValues<ReturnType<typeof cliSettings>>> {
  const definitions = cliSettings(around);
  const { values } = await loadSettings(definitions, {
    flags,
    env: around.env,
    file: await findSettingsFile(config, around),
    sections: [...settingSections, "hub.data_dir", "hub.api.port", "daemon.data_dir"],
    otherVariables,
  });
  return values;
}

/** The settings file that is named, else the usual one; undefined where there is none. */
export async function findSettingsFile(
  config: string | undefined,
  around: Surroundings,
): Promise<string | undefined> {
  return settingsFile(config, around.env) ?? (await usualFile(around));
}

/**
 * The file of the folder one stands in, as `npm start` leaves it, else the system's. A file that another user could have put
 * there is not taken: it could send the user's token to a hub of its own.
 */
async function usualFile({ cwd, uid }: Surroundings): Promise<string | undefined> {
  const here = join(cwd, folderFile);
  const owned = await Promise.all([here, join(here, "..")].map((one) => isOurs(one, uid)));
  if (owned.every(Boolean)) return here;
  return (await lstat(systemFile).catch(() => undefined)) && systemFile;
}

async function isOurs(file: string, uid: number): Promise<boolean> {
  const stat = await lstat(file).catch(() => undefined);
  return stat !== undefined && stat.uid === uid && (stat.mode & 0o022) === 0 && !stat.isSymbolicLink();
}
