import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import type { Sql } from "../base/sql.ts";
import { runTasks } from "../base/tasks.ts";
import { Audit } from "./audit/index.ts";
import { type DaemonConfig, type DaemonSettings, liveSettings } from "./config.ts";
import type { Journal } from "./journal/index.ts";
import { type Counted, guardOf, Policy, policySettingsOf } from "./policy/index.ts";
import { LiveSettings, Reloading, type SettingsSource } from "./settings/index.ts";
import type { Guard } from "./work/index.ts";

export interface OversightOptions {
  /** As they were read at the start. */
  config: DaemonConfig;
  /** Where they are read again; absent where they were given once and for all. */
  source: SettingsSource<DaemonSettings> | undefined;
  sql: Sql;
  journal: Journal;
  clock: Clock;
  log: Logger;
  /** The key of the node's identity; undefined before it has one. */
  keyPem: () => string | undefined;
  /** Containers of agents that there are now. */
  cells: () => Iterable<Counted>;
  /** How many runtimes there are now. */
  runtimes: () => number;
}

/** What watches over all other rooms. */
export interface Oversight {
  settings: LiveSettings<DaemonSettings>;
  audit: Audit;
  policy: Policy;
  guard: Guard;
  /** Reads settings and policy again. */
  reload(): Promise<void>;
  run(signal: AbortSignal): Promise<void>;
}

/** Settings that may change, the audit trail, and the policy, in force when this resolves. */
export async function openOversight({ config, source, ...options }: OversightOptions): Promise<Oversight> {
  const { log } = options;
  const settings = new LiveSettings<DaemonSettings>(config, liveSettings);
  const audit = Audit.open(options);
  const policy = await Policy.open({ ...options, audit, settings: () => policySettingsOf(settings.config) });
  const reloading = new Reloading({ ...options, settings, source, audit });
  settings.whenChanged(() => {
    log.level = settings.config["log.level"];
    // Some of them are the policy's.
    policy.reload().catch((error: unknown) => log.error({ error }, "the policy could not be read again"));
  });
  const reload = async () => {
    await reloading.reload();
    await policy.reload();
  };
  return {
    ...{ settings, audit, policy, reload },
    guard: guardOf(policy, audit),
    run: (signal) =>
      runTasks(
        signal,
        (stop) => audit.run(stop),
        (stop) => reloading.run(stop),
        (stop) => policy.run(stop),
      ),
  };
}
