import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { AgentSpec, LentCredential } from "../../../gen/edge/v1/agents_pb.ts";
import { AuditKind } from "../../../gen/edge/v1/audit_pb.ts";
import { asFailure } from "../../base/failure.ts";
import { Lanes } from "../../base/lanes.ts";
import type { Logger } from "../../base/log.ts";
import type { Recorder } from "../audit/index.ts";
import type { CellAsk, Provider, Provision } from "../sandbox/index.ts";
import { lentFolders, makeLentFolder, putLentFile, removeLentFile } from "./lent-files.ts";
import { memoryFolder, memoryProblem } from "./memory-folder.ts";
import type { CredentialStore, Loan } from "./store.ts";
import type { Kept } from "./vault.ts";

export interface LendingOptions {
  store: CredentialStore;
  audit: Recorder;
  log: Logger;
  now: () => number;
  /** `credentials.lent_folder`, and whose part of it is ours. */
  lentFolder: string;
  instanceId: string;
  /** A value that may be lent now, which is the caller's to clear. @throws {Failure} not_found, denied, unavailable. */
  lendable(name: string): Promise<{ kept: Kept; value: Buffer }>;
}

/** Where a program finds what it is lent. */
const target = "/run/orchestrator/secrets";
/** The user of a program whose manifest names none. */
const defaultUserId = 65_532;
/** Changes of loans that wait for one another. */
const mostWaiting = 10_000;

/**
 * Lends secrets to cells: files in a folder of each cell on a memory file system, which only that cell sees, read-only. A new value
 * is there at once; what was removed or has expired goes away; nothing outlives the cell.
 */
export class Lending implements Provider {
  readonly #options: LendingOptions;
  /** One change at a time, so that the newest value is the last that is written. */
  readonly #lane = new Lanes(mostWaiting);
  #folder: string | undefined;

  constructor(options: LendingOptions) {
    this.#options = options;
  }

  /** Where secrets are lent from. @throws {Failure} unavailable: there is no such place, and what to do. */
  async folder(): Promise<string> {
    const { lentFolder, instanceId } = this.#options;
    this.#folder = await memoryFolder(lentFolder, instanceId); // Each time: below a mount that somebody took away is a disk.
    return this.#folder;
  }

  /** Why secrets cannot be lent, as a sentence; empty when they can. Nothing is made for it. */
  problem(): Promise<string> {
    return memoryProblem(this.#options.lentFolder);
  }

  prepare({ id: cell, agent, spec, commandId }: CellAsk, folder: string): Promise<Provision> {
    return this.#alone(async () => {
      await makeLentFolder(join(folder, "secrets")); // What is mounted upon, or empty.
      const lent = lentOf(spec);
      if (lent.length === 0) return { mounts: [], env: {} };
      const own = await this.folder();
      const userId = spec.userId || defaultUserId;
      const source = join(own, cell);
      try {
        for (const { name } of lent) (await this.#options.lendable(name)).value.fill(0); // All of them, or none is lent.
        await makeLentFolder(source);
        for (const { name, file } of lent) {
          const loan = { cell, file: file || name, name, userId };
          await this.#put(loan, (kept) => this.#note(loan, kept, { agent, commandId }));
        }
      } catch (thrown) {
        await this.#take(cell);
        throw thrown;
      }
      return { mounts: [{ source, target, readOnly: true }], env: {} };
    });
  }

  release(cell: string): Promise<void> {
    return this.#alone(() => this.#take(cell));
  }

  /** Another value, another end, or none any more: every cell that is lent it sees that when this resolves. */
  changed(name: string): Promise<void> {
    return this.#alone(() => this.#renew(this.#options.store.loans(name)));
  }

  /** Brings what is lent to what the vault says, after a restart of the daemon or a change of the vault by hand. */
  refill(): Promise<void> {
    return this.#alone(async () => {
      const loans = this.#options.store.loans();
      const isUsed = loans.length > 0 || this.#folder !== undefined;
      if (!isUsed) return;
      const own = await this.folder();
      const cells = new Set(loans.map(({ cell }) => cell));
      for (const cell of await lentFolders(own)) if (!cells.has(cell)) await this.#take(cell);
      for (const cell of cells) await makeLentFolder(join(own, cell));
      await this.#renew(loans);
    });
  }

  async #renew(loans: readonly Loan[]): Promise<void> {
    for (const loan of loans) {
      try {
        await this.#put(loan, () => {});
      } catch (thrown) {
        const { kind, message } = asFailure(thrown);
        this.#options.log.warn(
          { cell: loan.cell, credential: loan.name, kind, problem: message },
          "the secret that a cell is lent was not renewed",
        );
        // What may not be lent any more goes. What only failed leaves the program with what it had, and it goes on.
        if (kind === "denied" || kind === "not_found") {
          await removeLentFile(join(await this.folder(), loan.cell), loan.file);
        }
      }
    }
  }

  async #put(loan: Loan, note: (kept: Kept) => void): Promise<void> {
    const { kept, value } = await this.#options.lendable(loan.name);
    try {
      note(kept);
      await putLentFile(join(await this.folder(), loan.cell), loan.file, value, loan.userId);
    } finally {
      value.fill(0);
    }
  }

  #note(loan: Loan, { revision }: Kept, { agent, commandId }: Pick<CellAsk, "agent" | "commandId">): void {
    const { store, audit, now } = this.#options;
    store.atomically(() => {
      store.lend(loan);
      store.used(loan.name, now());
      audit.record({
        ...{ kind: AuditKind.CREDENTIAL, commandId, action: "lend", outcome: "ok" },
        subject: `credential/${loan.name}`,
        detail: `revision ${revision}, to agent ${agent}, in ${loan.cell}`,
      });
    });
  }

  async #take(cell: string): Promise<void> {
    const isLent = this.#options.store.loans().some((loan) => loan.cell === cell);
    if (!isLent && this.#folder === undefined) return;
    const own = await this.folder().catch(() => undefined); // Where there is no such folder, nothing is lent.
    if (own !== undefined) await rm(join(own, cell), { recursive: true, force: true });
    this.#options.store.returned(cell);
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    return this.#lane.run("loans of secrets", work);
  }
}

/** The secrets that an agent sees as files; of the others it has the use only. */
export function lentOf({ credentials }: AgentSpec): LentCredential[] {
  return credentials.filter(({ upstream }) => upstream === undefined);
}
