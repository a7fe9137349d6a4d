import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  MessageRole,
  type Session,
  type SessionMessage,
  SessionState,
} from "../../gen/edge/v1/sessions_pb.ts";
import { formatBytes, formatDuration } from "../base/quantity.ts";
import { ago, moment, word } from "./answer.ts";
import { formatLabels } from "./labels.ts";
import { printable, rows, sheet } from "./table.ts";
import type { Terminal } from "./terminal.ts";

/** Sessions, a line each. */
export function tableOfSessions(sessions: readonly Session[], terminal: Terminal, now: number): string {
  return rows(
    terminal,
    ["ID", "AGENT", "OWNER", "STATE", "QUIET", "MESSAGES", "SIZE", "TITLE"],
    sessions.map((one) => [
      ...[one.id, one.agent, one.owner, word(SessionState, one.state), ago(one.activeAt, now)],
      ...[String(one.messages), formatBytes(one.sizeBytes), one.title],
    ]),
    "no sessions",
  );
}

/** One session. */
export function describeSession(one: Session | undefined, now: number): string {
  if (!one) return "";
  const leftMs = one.timesOutAt && timestampMs(one.timesOutAt) - now;
  return sheet([
    ["id", one.id],
    ["agent", one.agent],
    ["owner", one.owner],
    ["title", one.title],
    ["state", `${word(SessionState, one.state)}: ${one.reason}`],
    ["began", moment(one.createdAt)],
    ["active", moment(one.activeAt)],
    ["closes", leftMs === undefined ? "" : `in ${formatDuration(leftMs)}, if nothing comes`],
    ["closed", moment(one.closedAt)],
    ["messages", `${one.messages}, ${formatBytes(one.sizeBytes)}`],
    ["labels", formatLabels(one.labels)],
  ]);
}

/** A message: who said it when, and below that what, with nothing in it that could steer the terminal. */
export function messageInWords({ sequence, at, role, content, tool, taskId }: SessionMessage): string {
  const by = [word(MessageRole, role), tool, taskId].filter((one) => one !== "").join(", ");
  const lines = content.replaceAll("\t", "    ").split(/\r?\n/);
  return `${sequence}  ${moment(at)}  ${printable(by)}\n${lines.map((line) => `    ${printable(line)}\n`).join("")}`;
}
