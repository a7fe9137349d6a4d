import {
  type DeadLetter,
  MessageUrgency,
  Overflow,
  type Subscription,
  type TopicFilter,
  type TopicMessage,
} from "../../gen/edge/v1/topics_pb.ts";
import { moment, word } from "./answer.ts";
import { textIn } from "./bytes.ts";
import { formatLabels } from "./labels.ts";
import { printable, rows } from "./table.ts";
import type { Terminal } from "./terminal.ts";

/** How urgent a message may be. */
export const urgencies = {
  ...{ low: MessageUrgency.LOW, normal: MessageUrgency.NORMAL },
  ...{ high: MessageUrgency.HIGH, critical: MessageUrgency.CRITICAL },
} as const;

/** A message on a line: when, which, where, who, and what it says, with nothing in it that could steer the terminal. */
export function topicMessageLine(one: TopicMessage): string {
  const { at, sequence, topic, publisher, payload, attributes, urgency } = one;
  const beside = [
    ...(urgency > MessageUrgency.NORMAL ? [word(MessageUrgency, urgency)] : []),
    ...(attributes.length > 0 ? [formatLabels(attributes)] : []),
  ].join(", ");
  const about = `${moment(at)}  ${sequence}  ${topic}  ${publisher}`;
  const said = textIn(payload) ?? `${payload.length} bytes that are no text`;
  return `${printable(`${about}${beside === "" ? "" : ` (${beside})`}: ${said.replace(/\r?\n$/, "")}`)}\n`;
}

export function tableOfSubscriptions(subscriptions: readonly Subscription[], terminal: Terminal): string {
  return rows(
    terminal,
    ["SUBSCRIBER", "TASK", "GROUP", "QUEUE", "TAKEN", "DROPPED", "WHEN FULL", "TOPICS"],
    subscriptions.map(
      ({ subscriber, taskId, group, queued, queueLimit, taken, dropped, overflow, filter }) => [
        ...[subscriber, taskId, group, `${queued} of ${queueLimit}`, String(taken), String(dropped)],
        ...[overflow === Overflow.UNSPECIFIED ? "-" : word(Overflow, overflow), filterInWords(filter)],
      ],
    ),
    "no subscriptions",
  );
}

export function letterInWords({ message, group, attempts, reason }: DeadLetter): string {
  const what = message ? topicMessageLine(message) : "";
  return `${what}    group ${printable(group)} gave it up after ${attempts} attempts: ${printable(reason)}\n`;
}

function filterInWords(filter: TopicFilter | undefined): string {
  return filter && filter.topics.length > 0 ? filter.topics.join(" ") : "all";
}
