import { toJsonString } from "@bufbuild/protobuf";
import { type Event, EventSchema } from "../../../gen/edge/v1/events_pb.ts";
import { MessageUrgency } from "../../../gen/edge/v1/topics_pb.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/log.ts";
import type { Sql } from "../../base/sql.ts";
import type { Journal } from "../journal/index.ts";
import { ownFirstParts } from "./pattern.ts";
import type { Draft, Topics } from "./topics.ts";

export interface FactsOptions {
  topics: Topics;
  journal: Journal;
  clock: Clock;
  log: Logger;
}

/** Events that are published in one commit. */
const atOnce = 100;
/** Between attempts when the disk takes nothing, in milliseconds. */
const retryMs = 2_000;

/**
 * Publishes each event of the journal once, as JSON. How far that is is kept in the same commit as the messages, so that a
 * crash neither repeats one nor leaves one out. A node that is new to topics begins with what happens from then on.
 */
export async function publishFacts(
  { topics, journal, clock, log }: FactsOptions,
  signal: AbortSignal,
): Promise<void> {
  const { sql } = topics;
  let place = placeIn(sql, journal);
  for await (const _ of journal.changes.wakes(signal)) {
    while (place < journal.lastSequence && !signal.aborted) {
      const events = journal.history({ afterSequence: BigInt(place), limit: atOnce, runtime: "", agent: "" });
      const next = Number(events.at(-1)?.sequence ?? journal.lastSequence); // Nothing but results was left.
      const drafts = events.flatMap(({ event }) => (event ? [draftOf(event)] : []));
      try {
        if (drafts.length > 0) await topics.write(drafts, () => note(sql, journal.id, next));
        place = next;
      } catch (error) {
        if (signal.aborted) return;
        log.warn({ error }, "the node's events cannot be published; trying again");
        await clock.sleep(retryMs, signal);
      }
    }
  }
}

/** Where an event is published: `node.CASE`, with a name behind it where it is about something that has one. */
export function topicOf({ fact }: Pick<Event, "fact">): string {
  const field = EventSchema.oneofs[0]?.fields.find((one) => one.localName === fact.case);
  const name = nameIn(fact);
  const parts = [ownFirstParts.node, field?.name ?? "unknown", ...(name === "" ? [] : [asPart(name)])];
  return parts.join(".");
}

function draftOf(event: Event): Draft {
  return {
    topic: topicOf(event),
    payload: Buffer.from(toJsonString(EventSchema, event)),
    attributes: [],
    urgency: MessageUrgency.NORMAL,
    correlationId: event.commandId,
    publisher: ownFirstParts.node,
  };
}

function nameIn(fact: Event["fact"]): string {
  const value = fact.value;
  if (!value) return "";
  if ("runtime" in value) return value.runtime;
  if ("agent" in value) return value.agent;
  return "name" in value ? value.name : "";
}

function asPart(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_-]/g, "_");
}

/** Up to where the events were published. Of another journal than the last one, nothing old is. */
function placeIn(sql: Sql, journal: Journal): number {
  const row = sql.get("SELECT journal_id, sequence FROM topics_journal");
  const place = Number(row?.sequence);
  if (row?.journal_id === journal.id && place <= journal.lastSequence) return place;
  note(sql, journal.id, journal.lastSequence);
  return journal.lastSequence;
}

function note(sql: Sql, journalId: string, sequence: number): void {
  sql.run(
    `INSERT INTO topics_journal (one, journal_id, sequence) VALUES (1, ?, ?)
       ON CONFLICT (one) DO UPDATE SET journal_id = excluded.journal_id, sequence = excluded.sequence`,
    ...[journalId, sequence],
  );
}
