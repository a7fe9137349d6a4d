import { join } from "node:path";
import { type KeySettings, keySourcesOf } from "../../../src/daemon/credentials/key-sources.ts";
import { Vault } from "../../../src/daemon/credentials/vault.ts";

/** The vault of a folder, with its key in a file there unless said otherwise. */
export function openVault(folder: string, settings: Partial<KeySettings> = {}): Vault {
  const keys: KeySettings = {
    ...{ keySource: "file", keyFile: join(folder, "key") },
    ...{ passphraseFile: undefined, systemdFolder: undefined },
    ...settings,
  };
  return new Vault({ folder, sources: keySourcesOf(keys), keySource: keys.keySource });
}

/** What is kept beside a value. */
export function about(name: string) {
  return { name, description: "", createdAt: 1, updatedAt: 1, labels: [], commandId: "cmd-1" };
}
