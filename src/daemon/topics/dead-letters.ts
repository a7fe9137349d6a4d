import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type DeadLetter, DeadLetterSchema, type TopicMessage } from "../../../gen/edge/v1/topics_pb.ts";
import type { Sql } from "../../base/sql.ts";

/** Dead letters that are kept; the oldest go first. */
const kept = 10_000;
/** Letters in one answer, in bytes: it must fit into a frame. */
const answerBytes = 900 << 10;
const usualLimit = 100;

/** A message that no member of a group took. */
export function deadLetter(
  of: { message: TopicMessage; group: string; attempts: number; reason: string },
  now: number,
): DeadLetter {
  return create(DeadLetterSchema, { ...of, at: timestampFromMs(now) });
}

/** Keeps dead letters. Within a transaction. */
export function bury(sql: Sql, letters: readonly DeadLetter[]): void {
  if (letters.length === 0) return;
  for (const letter of letters) {
    const values = [letter.group, toBinary(DeadLetterSchema, letter)];
    sql.run("INSERT INTO topics_dead_letters (group_name, letter) VALUES (?, ?)", ...values);
  }
  sql.run("DELETE FROM topics_dead_letters WHERE id <= (SELECT MAX(id) FROM topics_dead_letters) - ?", kept);
}

/** Dead letters of a group, or of all, newest first. */
export function listDead(sql: Sql, { group, limit }: { group: string; limit: number }): DeadLetter[] {
  const found: DeadLetter[] = [];
  let bytes = 0;
  const rows = sql.all(
    "SELECT letter FROM topics_dead_letters WHERE ? IN ('', group_name) ORDER BY id DESC LIMIT ?",
    ...[group, limit || usualLimit],
  );
  for (const row of rows) {
    const letter = row.letter as Uint8Array; // BLOB NOT NULL in a STRICT table.
    bytes += letter.length;
    if (bytes > answerBytes) break;
    found.push(fromBinary(DeadLetterSchema, letter));
  }
  return found;
}
