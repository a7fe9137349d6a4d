import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { AgentSpec } from "../../../gen/edge/v1/agents_pb.ts";
import type { RuntimeSpec } from "../../../gen/edge/v1/runtimes_pb.ts";
import {
  type ApplyWishesRequest,
  type WishesBefore,
  WishesBeforeSchema,
} from "../../../gen/edge/v1/wishes_pb.ts";
import type { Schema, Sql } from "../../base/sql.ts";
import { isSelected } from "../../wire/selector.ts";

/** The room's table: what there was before the last few commands that were asked to keep it. */
export const applySchema: Schema = {
  room: "apply",
  migrations: [
    `CREATE TABLE apply_before (
       id INTEGER PRIMARY KEY AUTOINCREMENT,
       command_id TEXT NOT NULL UNIQUE,
       before BLOB NOT NULL
     ) STRICT;`,
  ],
};

/** What is there now, as it is wished. */
export interface There {
  runtimes: readonly RuntimeSpec[];
  agents: readonly AgentSpec[];
}

/** What an answer carries of it, in bytes. */
const toldBytes = 512 * 1024;
/** Commands that may still be carried out again are far fewer. */
const kept = 20;

/** Remembers what there was before a command, so that it says the same however often the command is taken up again. */
export class Past {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** What there was before the command: what is there now when it is asked for the first time. */
  before(commandId: string, asked: ApplyWishesRequest, there: () => There): WishesBefore {
    const row = this.#sql.get("SELECT before FROM apply_before WHERE command_id = ?", commandId);
    if (row?.before instanceof Uint8Array) return fromBinary(WishesBeforeSchema, row.before);
    const before = beforeOf(asked, there());
    this.#sql.run(
      "INSERT INTO apply_before (command_id, before) VALUES (?, ?)",
      commandId,
      toBinary(WishesBeforeSchema, before),
    );
    this.#sql.run("DELETE FROM apply_before WHERE id <= (SELECT MAX(id) FROM apply_before) - ?", kept);
    return before;
  }
}

/** Of all that is there, what the wishes name or delete; and what they name that is not there. */
export function beforeOf(asked: ApplyWishesRequest, there: There): WishesBefore {
  const { runtimes, agents, prune, absentRuntimes, absentAgents } = asked;
  const named = (wishes: readonly { name: string }[], absent: readonly string[]) =>
    new Set([...wishes.map(({ name }) => name), ...absent]);
  const [ofRuntimes, ofAgents] = [named(runtimes, absentRuntimes), named(agents, absentAgents)];
  const isMeant = (names: ReadonlySet<string>) => (spec: RuntimeSpec | AgentSpec) =>
    names.has(spec.name) || (prune.length > 0 && isSelected(spec.labels, prune));
  const missing = (names: ReadonlySet<string>, of: readonly { name: string }[]) =>
    [...names].filter((name) => !of.some((one) => one.name === name));
  const before = create(WishesBeforeSchema, {
    runtimes: there.runtimes.filter(isMeant(ofRuntimes)),
    agents: there.agents.filter(isMeant(ofAgents)),
    absentRuntimes: missing(ofRuntimes, there.runtimes),
    absentAgents: missing(ofAgents, there.agents),
  });
  const isTooLarge = toBinary(WishesBeforeSchema, before).length > toldBytes;
  return isTooLarge ? create(WishesBeforeSchema, { tooLarge: true }) : before;
}
