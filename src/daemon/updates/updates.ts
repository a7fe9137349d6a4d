import { mkdirSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type DaemonUpdate,
  DaemonUpdateSchema,
  DaemonUpdateState,
  type UpdateDaemonRequest,
} from "../../../gen/edge/v1/updates_pb.ts";
import type { Clock } from "../../base/clock.ts";
import { failure } from "../../base/failure.ts";
import type { Logger } from "../../base/log.ts";
import { aborted, unlessAborted } from "../../base/tasks.ts";
import type { ProxyNames } from "../../wire/proxy.ts";
import type { Journal } from "../journal/index.ts";
import type { Ask } from "../work/index.ts";
import { fetchBundle } from "./fetch.ts";
import { type Kept, readKept, type Trial, writeKept } from "./kept.ts";
import { endOf, lacking, type Seen } from "./plan.ts";
import { folderOf, programsFolder } from "./program.ts";
import { unpack } from "./unpack.ts";

export interface UpdatesOptions {
  dataDir: string;
  /** Of the program that runs. */
  version: string;
  /** SHA-256 of the bundle that it came from; undefined for what is installed. */
  own: string | undefined;
  journal: Journal;
  clock: Clock;
  log: Logger;
  /** Where the proxy is named between this node and where bundles are. */
  proxy: ProxyNames;
  /** The hub's authority; undefined while the node has no hub. */
  caPem(): string | undefined;
  /** What this version sees of its hub and of what runs. */
  seen(): Seen;
  /** Tells the version that stands back for this one; absent where none does. */
  prove: (() => void) | undefined;
}

/** Between two looks of a version on probation, in milliseconds. */
const lookMs = 200;
/** A version that ran for so long stays up. */
const settledMs = 60_000;
const defaultProbationMs = 120_000;

/** The daemon as a program that can be replaced. */
export class Updates {
  readonly #options: UpdatesOptions;
  readonly #standBack = new AbortController();
  #kept: Kept;
  #isBusy = false;
  #decided = Promise.withResolvers<void>();

  private constructor(options: UpdatesOptions, kept: Kept) {
    this.#options = options;
    this.#kept = kept;
  }

  /** @throws {Failure} unavailable: what is kept of versions cannot be read. */
  static open(options: UpdatesOptions): Updates {
    mkdirSync(programsFolder(options.dataDir), { recursive: true, mode: 0o700 });
    return new Updates(options, readKept(options.dataDir));
  }

  /** Aborted when the daemon is to close everything and to let another version be tried. */
  get standBack(): AbortSignal {
    return this.#standBack.signal;
  }

  /** What is to be tried. */
  get trial(): Trial | undefined {
    return this.#kept.trial;
  }

  /** Proves this version when it is on probation, notes that a kept one stays up, and tells how the last trial ended. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#tell();
    await this.#sweep();
    const { trial } = this.#kept;
    if (trial && trial.sha256 === this.#options.own) await this.#prove(trial, signal);
    await this.#options.clock.sleep(settledMs, signal);
    const { current } = this.#kept;
    if (current && current.starts > 0) await this.#keep({ current: { ...current, starts: 0 } });
  }

  /**
   * Brings another version onto the node and has it tried. The command that asked goes on in whichever version runs then.
   * @throws {Failure} as the contract says.
   */
  async carryOut(request: UpdateDaemonRequest, ask: Ask): Promise<{ fromVersion: string; version: string }> {
    const { last, trial } = this.#kept;
    if (last?.commandId === ask.id) return conclude(last);
    if (trial?.commandId === ask.id && trial.sha256 === this.#options.own) {
      await unlessAborted(this.#decided.promise, ask.signal);
      return conclude(this.#kept.last ?? endOf(trial, "nobody knows", 0));
    }
    if (trial || this.#isBusy)
      throw failure("conflict", "another update of the daemon is on its way: wait for its end");
    this.#isBusy = true;
    try {
      await this.#begin(request, ask);
    } finally {
      this.#isBusy = false;
    }
    await aborted(ask.signal);
    throw ask.signal.reason;
  }

  /** What runs, and how the last update went. */
  status(): { sha256: string; installedVersion: string; last?: DaemonUpdate } {
    const { version, own = "" } = this.#options;
    const { current, trial, last } = this.#kept;
    const installedVersion = (own === "" ? undefined : (current ?? trial)?.installedVersion) ?? version;
    const told = trial
      ? updateOf(endOf(trial, "", this.#options.clock.now()), true)
      : last && updateOf(last, false);
    return { sha256: own, installedVersion, ...(told && { last: told }) };
  }

  async #begin({ bundle, sha256, probationMs }: UpdateDaemonRequest, ask: Ask): Promise<void> {
    const { dataDir, version, own, proxy, log, caPem, seen } = this.#options;
    if (sha256 === own) throw failure("conflict", `version ${version} of this bundle runs already`);
    const { hubLetIn, running } = seen();
    const needsHub = caPem() !== undefined;
    if (needsHub && !hubLetIn) {
      throw failure(
        "unavailable",
        "the line to the hub is down, so that a new version could not prove itself: try again when it is up",
      );
    }
    const folder = folderOf(dataDir, { sha256 });
    const file = `${folder}.tar.gz`;
    try {
      ask.progress("fetching");
      const progress = (done: number, total?: number) => ask.progress("fetching", done, total);
      await fetchBundle(bundle, sha256, file, { caPem: caPem(), proxy, signal: ask.signal, progress });
      ask.progress("unpacking");
      const offered = await unpack(file, folder, ask.signal);
      const { installedVersion } = this.status();
      log.warn({ from: version, version: offered, sha256 }, "another version of the daemon is tried");
      await this.#keep({
        trial: {
          ...{ version: offered, sha256, fromVersion: version, installedVersion, commandId: ask.id },
          ...{ probationMs: probationMs || defaultProbationMs, needsHub, ran: [...running] },
        },
      });
    } finally {
      await rm(file, { force: true });
    }
    this.#standBack.abort(failure("unavailable", "another version of the daemon is tried"));
  }

  async #prove(trial: Trial, signal: AbortSignal): Promise<void> {
    const { clock, log, seen, prove } = this.#options;
    const { version, sha256, installedVersion } = trial;
    for (let lacks = "?"; lacks !== ""; lacks = lacking(trial, seen())) await clock.sleep(lookMs, signal);
    const { trial: _, ...rest } = this.#kept;
    this.#kept = rest;
    await this.#keep({
      current: { version, sha256, installedVersion, starts: 0 },
      last: endOf(trial, "", clock.now()),
    });
    log.warn({ version }, "this version of the daemon proved itself and is kept");
    await this.#tell();
    this.#decided.resolve();
    // The answer of the command comes first.
    await clock.sleep(lookMs, signal);
    prove?.();
  }

  async #tell(): Promise<void> {
    const { last } = this.#kept;
    if (!last || last.isTold) return;
    const reason = last.reason === "" ? "it proved itself" : last.reason;
    this.#options.journal.record(
      { case: "daemonUpdate", value: updateOf(last, false) },
      { reason, ...(last.commandId !== "" && { commandId: last.commandId }) },
    );
    await this.#keep({ last: { ...last, isTold: true } });
  }

  /** Bundles of which nobody speaks any more. */
  async #sweep(): Promise<void> {
    const { dataDir, own } = this.#options;
    const wanted = [own, this.#kept.current?.sha256, this.#kept.trial?.sha256, "update.json"];
    const folder = programsFolder(dataDir);
    for (const name of await readdir(folder)) {
      if (!wanted.includes(name)) await rm(join(folder, name), { recursive: true, force: true });
    }
  }

  async #keep(change: Kept): Promise<void> {
    this.#kept = { ...this.#kept, ...change };
    await writeKept(this.#options.dataDir, this.#kept);
  }
}

function conclude(last: NonNullable<Kept["last"]>): { fromVersion: string; version: string } {
  const { version, fromVersion, reason } = last;
  if (reason === "") return { fromVersion, version };
  throw failure(
    "unavailable",
    `version ${version} was tried and withdrawn, ${fromVersion} goes on: ${reason}`,
  );
}

function updateOf(
  { version, fromVersion, reason, at }: NonNullable<Kept["last"]>,
  isTrying: boolean,
): DaemonUpdate {
  const ended = reason === "" ? DaemonUpdateState.KEPT : DaemonUpdateState.WITHDRAWN;
  const state = isTrying ? DaemonUpdateState.TRYING : ended;
  return create(DaemonUpdateSchema, { fromVersion, version, state, reason, at: timestampFromMs(at) });
}
