import { isDeepStrictEqual } from "node:util";
import { create } from "@bufbuild/protobuf";
import { AuditKind } from "../../../gen/edge/v1/audit_pb.ts";
import { ConfigurationChangeSchema } from "../../../gen/edge/v1/events_pb.ts";
import type { Clock } from "../../base/clock.ts";
import { beginning } from "../../base/evidence.ts";
import { asFailure } from "../../base/failure.ts";
import type { Logger } from "../../base/log.ts";
import type { Settings, SettingValues } from "../../base/settings.ts";
import type { Sql } from "../../base/sql.ts";
import { watchFile } from "../../base/watch-file.ts";
import type { Recorder } from "../audit/index.ts";
import type { Journal } from "../journal/index.ts";
import type { LiveSettings } from "./live-settings.ts";
import type { Reload } from "./plan.ts";

/** Where settings are read again. */
export interface SettingsSource<D extends Settings> {
  /** Reads all of their sources. @throws {Failure} invalid: every one that is wrong. */
  load(): Promise<SettingValues<D>>;
  /** The settings file, if there is one. */
  file?: string | undefined;
}

export interface ReloadingOptions<D extends Settings> {
  settings: LiveSettings<D>;
  /** Absent where they were given once and for all. */
  source: SettingsSource<D> | undefined;
  sql: Sql;
  journal: Journal;
  audit: Recorder;
  clock: Clock;
  log: Logger;
}

/** Reads the settings again, and tells what came of it: log, event and audit. */
export class Reloading<D extends Settings> {
  readonly #options: ReloadingOptions<D>;
  /** What was told last, so that the same is not told twice. */
  #told: Reload | string = { changed: [], needRestart: [] };
  #reloads: Promise<void> = Promise.resolve();

  constructor(options: ReloadingOptions<D>) {
    this.#options = options;
  }

  /** Reads them again each time the file changes, until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { source, clock } = this.#options;
    if (source?.file !== undefined) await watchFile(source.file, () => this.reload(), { clock }, signal);
  }

  /** Reads them again. Those that are wrong change nothing. Never rejects for what they say. One reload comes after the other. */
  reload(): Promise<void> {
    const reloaded = this.#reloads.then(() => this.#reload());
    this.#reloads = reloaded.catch(() => {});
    return reloaded;
  }

  async #reload(): Promise<void> {
    const { settings, source, log } = this.#options;
    if (!source) return;
    try {
      const { changed, needRestart } = settings.take(await source.load());
      if (changed.length === 0 && isDeepStrictEqual(this.#told, { changed: [], needRestart })) return;
      this.#told = { changed: [], needRestart };
      if (needRestart.length > 0) log.warn({ needRestart }, "settings changed that count after a restart");
      if (changed.length > 0) log.info({ changed }, "settings changed");
      this.#tell({ applied: true, changed, needRestart, problem: "" }, "the settings were read again");
    } catch (thrown) {
      const { message: problem } = asFailure(thrown);
      if (this.#told === problem) return;
      this.#told = problem;
      log.error({ problem }, "the settings are wrong now, and what was before stays in force");
      const sentence = "the settings are wrong, and what was before stays in force";
      this.#tell({ applied: false, changed: [], needRestart: [], problem }, sentence);
    }
  }

  #tell(change: Reload & { applied: boolean; problem: string }, reason: string): void {
    const { sql, journal, audit } = this.#options;
    const problem = beginning(change.problem, 4_096);
    const value = create(ConfigurationChangeSchema, { ...change, problem, what: "settings" });
    const detail = problem || [...change.changed, ...change.needRestart].join(", ");
    sql.atomically(() => {
      audit.record({
        ...{ kind: AuditKind.CONFIGURATION, action: "reload", subject: "settings", detail },
        outcome: change.applied ? "ok" : "invalid",
      });
      journal.record({ case: "configuration", value }, { reason });
    });
  }
}
