/**
 * Sessions: the context of conversations with agents, kept on the node over restarts. A session takes messages until nothing came for
 * its time, or somebody closes it; then it can be read for a while. An agent sees sessions of its own only, an operator all.
 */
export {
  appendMessages,
  closeSession,
  createSession,
  deleteSession,
  getSession,
  listSessions,
} from "./handlers.ts";
export { type SessionSettings, sessionSettings, sessionSettingsOf } from "./session-settings.ts";
export { Sessions, type SessionsOptions } from "./sessions.ts";
export { schema } from "./store.ts";
export type { Who } from "./who.ts";
