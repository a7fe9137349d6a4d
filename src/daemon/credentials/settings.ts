import { join } from "node:path";
import { oneOf, optional, path } from "../../base/setting-kinds.ts";
import type { Settings, SettingValues } from "../../base/settings.ts";
import { keySourceNames } from "./key-source.ts";
import type { KeySettings } from "./key-sources.ts";

/** What an operator decides about the vault. */
export function credentialSettings(env: NodeJS.ProcessEnv) {
  const systemdFolder = optional(
    path({
      default: "",
      doc: "Folder in which systemd shows this unit's credentials; the one that systemd names when not set.",
    }),
  );
  return {
    "credentials.key_source": oneOf(keySourceNames, {
      default: "file",
      doc: "What the vault's key is taken from when it is made or rotated: a file of its own, a passphrase, a credential of systemd, or the machine's TPM.",
    }),
    "credentials.key_file": optional(
      path({ default: "", doc: "The key's file; vault/key in daemon.data_dir when not set." }),
    ),
    "credentials.passphrase_file": optional(
      path({
        default: "",
        doc: "File whose first line is the passphrase; a second line is the one before, until the key is rotated. A descriptor is /dev/fd/3.",
      }),
    ),
    "credentials.systemd_folder": env.CREDENTIALS_DIRECTORY
      ? { ...systemdFolder, default: env.CREDENTIALS_DIRECTORY }
      : systemdFolder,
    "credentials.ca_file": optional(
      path({
        default: "",
        doc: "File with certificates of CAs that the gateway trusts beside those of the system, in PEM.",
      }),
    ),
    "credentials.lent_folder": path({
      default: "/run/orchestrator-secrets",
      doc: "Folder on a memory file system from which cells are lent secrets. Mounted there when it is none and the daemon may.",
    }),
  } satisfies Settings;
}

type Values = SettingValues<ReturnType<typeof credentialSettings>>;

/** The same, as the vault takes them. */
export function keySettingsOf(config: Values, dataDir: string): KeySettings {
  return {
    keySource: config["credentials.key_source"],
    keyFile: config["credentials.key_file"] ?? join(dataDir, "vault", "key"),
    passphraseFile: config["credentials.passphrase_file"],
    systemdFolder: config["credentials.systemd_folder"],
  };
}
