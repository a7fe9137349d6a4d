import { join } from "node:path";
import type { Clock } from "../../base/clock.ts";
import { errorChain } from "../../base/failure.ts";
import type { Logger } from "../../base/log.ts";
import type { Sql } from "../../base/sql.ts";
import type { Recorder } from "../audit/index.ts";
import type { Journal } from "../journal/index.ts";
import { Credentials } from "./credentials.ts";
import { type KeySettings, keySourcesOf } from "./key-sources.ts";
import { Lending } from "./lending.ts";
import { CredentialStore } from "./store.ts";
import { Vault } from "./vault.ts";

export interface CredentialsOptions {
  /** The daemon's state file, opened with this room's `schema`. */
  sql: Sql;
  journal: Journal;
  audit: Recorder;
  clock: Clock;
  log: Logger;
  /** The vault's own folder. */
  folder: string;
  keys: KeySettings;
  /** `credentials.lent_folder`. */
  lentFolder: string;
  instanceId: string;
  /** Agents whose current manifest names a credential. */
  agentsOf(name: string): string[];
}

/** How often the vault is looked at although nobody asks, in milliseconds: the wall clock may be set. */
const lookMs = 60_000;

/** The parts of the room. Nothing is read before it is asked for: a vault that cannot be opened stops no daemon. */
export class CredentialsRoom implements Disposable {
  readonly credentials: Credentials;
  /** Puts secrets into cells. */
  readonly lending: Lending;
  readonly #vault: Vault;
  readonly #options: CredentialsOptions;

  private constructor(options: CredentialsOptions) {
    const { sql, folder, keys, clock } = options;
    this.#options = options;
    const store = new CredentialStore(sql);
    this.#vault = new Vault({ folder, sources: keySourcesOf(keys), keySource: keys.keySource });
    const lendable = (name: string) => this.credentials.lendable(name);
    this.lending = new Lending({ ...options, store, lendable, now: clock.now });
    this.credentials = new Credentials({ ...options, vault: this.#vault, store, lending: this.lending });
  }

  static open(options: CredentialsOptions): CredentialsRoom {
    return new CredentialsRoom(options);
  }

  /** Refills what cells of a former life are lent, and takes away what expires, until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    await this.lending.refill().catch((error: unknown) => {
      log.warn({ problem: errorChain(error) }, "what cells are lent could not be looked at");
    });
    while (!signal.aborted) {
      const changed = new AbortController(); // Before the look: what changes during it is looked at, too.
      const unlisten = this.credentials.changes.listen(() => changed.abort());
      const next = await this.credentials.endExpired().catch((error: unknown) => {
        log.warn({ problem: errorChain(error) }, "the vault could not be looked at");
        return undefined;
      });
      const pauseMs = Math.min(lookMs, Math.max(0, (next ?? Number.POSITIVE_INFINITY) - clock.now()));
      await clock.sleep(pauseMs, AbortSignal.any([signal, changed.signal])).catch(() => {});
      unlisten();
    }
  }

  [Symbol.dispose](): void {
    this.#vault[Symbol.dispose]();
  }
}

/** Where the vault is, below the daemon's folder. */
export function vaultFolder(dataDir: string): string {
  return join(dataDir, "vault");
}
