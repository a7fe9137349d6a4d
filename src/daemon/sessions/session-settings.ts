import { duration, size, whole } from "../../base/setting-kinds.ts";
import type { Settings, SettingValues } from "../../base/settings.ts";

const dayMs = 86_400_000;

/** What an operator decides about sessions. */
export const sessionSettings = {
  "session.timeout": duration({
    default: 30 * 60_000,
    min: 1_000,
    max: 30 * dayMs,
    doc: "A session that takes no message for so long is closed. One may be begun with less.",
  }),
  "session.idle_after": duration({
    default: 10 * 60_000,
    min: 1_000,
    max: 30 * dayMs,
    doc: "A session that takes no message for so long is idle; the next message makes it active again.",
  }),
  "session.max_sessions": whole({
    default: 100,
    min: 1,
    max: 10_000,
    doc: "How many sessions of the node may be open at the same time.",
  }),
  "session.max_per_agent": whole({
    default: 50,
    min: 1,
    max: 10_000,
    doc: "How many sessions with one agent may be open at the same time.",
  }),
  "session.max_per_owner": whole({
    default: 50,
    min: 1,
    max: 10_000,
    doc: "How many sessions of one owner may be open at the same time.",
  }),
  "session.max_messages": whole({
    default: 10_000,
    min: 1,
    max: 1_000_000,
    doc: "How many messages a session takes.",
  }),
  "session.max_size": size({
    default: 1 << 20,
    min: 1_024,
    max: 64 << 20,
    doc: "How long all messages of a session may be together.",
  }),
} satisfies Settings;

/** The same, as the room takes them. */
export interface SessionSettings {
  timeoutMs: number;
  idleAfterMs: number;
  maxSessions: number;
  maxPerAgent: number;
  maxPerOwner: number;
  maxMessages: number;
  maxBytes: number;
}

export function sessionSettingsOf(config: SettingValues<typeof sessionSettings>): SessionSettings {
  return {
    timeoutMs: config["session.timeout"],
    idleAfterMs: config["session.idle_after"],
    maxSessions: config["session.max_sessions"],
    maxPerAgent: config["session.max_per_agent"],
    maxPerOwner: config["session.max_per_owner"],
    maxMessages: config["session.max_messages"],
    maxBytes: config["session.max_size"],
  };
}
