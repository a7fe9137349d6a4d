import { fileKeys } from "./key-file.ts";
import { passphraseKeys } from "./key-passphrase.ts";
import type { KeySource, KeySourceName } from "./key-source.ts";
import { systemdKeys } from "./key-systemd.ts";
import { tpmKeys } from "./key-tpm.ts";

/** What the sources are told by the settings. */
export interface KeySettings {
  /** `credentials.key_source`: what a new key is taken from. */
  keySource: KeySourceName;
  /** The key's file. */
  keyFile: string;
  passphraseFile: string | undefined;
  /** systemd's folder of this unit's credentials. */
  systemdFolder: string | undefined;
}

/** Each source by its name. A vault that was written by another one than the settings name is opened all the same. */
export function keySourcesOf(settings: KeySettings): Record<KeySourceName, KeySource> {
  return {
    file: fileKeys(settings.keyFile),
    passphrase: passphraseKeys(settings.passphraseFile),
    systemd: systemdKeys(settings.systemdFolder),
    tpm: tpmKeys(),
  };
}
