import { failure } from "../../base/failure.ts";
import { formatBytes } from "../../base/quantity.ts";
import type { SessionSettings } from "./session-settings.ts";
import type { Kept } from "./store.ts";

/** @throws {Failure} exhausted: as many as the node, the agent or the owner may have are open. */
export function checkOneMore(
  open: readonly Pick<Kept, "agent" | "owner">[],
  { agent, owner }: Pick<Kept, "agent" | "owner">,
  settings: SessionSettings,
): void {
  const limits = [
    ["this node", open.length, settings.maxSessions, "session.max_sessions"],
    [`agent ${agent}`, count(open, "agent", agent), settings.maxPerAgent, "session.max_per_agent"],
    [owner, count(open, "owner", owner), settings.maxPerOwner, "session.max_per_owner"],
  ] as const;
  for (const [whose, has, most, setting] of limits) {
    if (has < most) continue;
    throw failure(
      "exhausted",
      `${whose} has ${has} open sessions, and ${setting} allows ${most}: close some with \`orchestrator session close\``,
    );
  }
}

function count(open: readonly Pick<Kept, "agent" | "owner">[], by: "agent" | "owner", value: string): number {
  return open.filter((one) => one[by] === value).length;
}

/** @throws {Failure} exhausted: it would have too many messages, or too long ones. */
export function checkLength(
  { id, messages, sizeBytes }: Pick<Kept, "id" | "messages" | "sizeBytes">,
  more: { messages: number; sizeBytes: number },
  { maxMessages, maxBytes }: SessionSettings,
): void {
  const next = "begin another one and carry over what matters";
  if (messages + more.messages > maxMessages) {
    throw failure(
      "exhausted",
      `session ${id} has ${messages} messages, and session.max_messages allows ${maxMessages}: ${next}`,
    );
  }
  if (sizeBytes + more.sizeBytes > maxBytes) {
    throw failure(
      "exhausted",
      `session ${id} is ${formatBytes(sizeBytes)} long, and session.max_size allows ${formatBytes(maxBytes)}: ${next}`,
    );
  }
}
