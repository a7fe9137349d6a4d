import { join } from "node:path";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/log.ts";
import type { Sql } from "../base/sql.ts";
import { runTasks } from "../base/tasks.ts";
import type { DaemonSettings } from "./config.ts";
import type { Journal } from "./journal/index.ts";
import { type Embed, Memory, memorySettingsOf } from "./memory/index.ts";
import { Sessions, type SessionsOptions, sessionSettingsOf } from "./sessions/index.ts";
import type { LiveSettings } from "./settings/index.ts";
import { publishFacts, Topics, topicsKeptOf } from "./topics/index.ts";

export interface ConversationsOptions extends Pick<SessionsOptions, "hasAgent" | "isRunning"> {
  settings: LiveSettings<DaemonSettings>;
  sql: Sql;
  journal: Journal;
  clock: Clock;
  log: Logger;
  embed: Embed;
}

/** Opens the rooms that keep what agents say and remember. */
export function openConversations({ settings, embed, ...options }: ConversationsOptions) {
  const { journal, clock, log } = options;
  const { config } = settings;
  const dataDir = config["daemon.data_dir"];
  using opened = new DisposableStack();
  const topics = opened.use(
    Topics.open({ path: join(dataDir, "topics.db"), journal, clock, log, kept: topicsKeptOf(config) }),
  );
  const sessions = Sessions.open({ ...options, settings: sessionSettingsOf(config) });
  const memory = opened.use(
    Memory.open({
      ...{ path: join(dataDir, "memory.db"), journal, clock, log, settings: memorySettingsOf(config) },
      embed,
    }),
  );
  settings.whenChanged(() => {
    sessions.settings = sessionSettingsOf(config);
    memory.settings = memorySettingsOf(config);
  });
  const owned = opened.move();
  return {
    ...{ topics, sessions, memory },
    run: (signal: AbortSignal) =>
      runTasks(
        signal,
        (stop) => publishFacts({ topics, journal, clock, log }, stop),
        (stop) => sessions.run(stop),
      ),
    [Symbol.dispose]: () => owned.dispose(),
  };
}
