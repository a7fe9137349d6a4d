import pg from "pg";
import { type Failure, failure } from "../../base/failure.ts";

/** What went wrong between this hub and its PostgreSQL. */
export interface Trouble {
  /** What callers are told. */
  failure: Failure;
  /** Nothing can be asked on this connection any more, and probably on no other. */
  isAway: boolean;
}

/** Two transactions stood in each other's way, and PostgreSQL undid this one: it is to be tried again. */
export function isCollision(thrown: unknown): boolean {
  return thrown instanceof pg.DatabaseError && (thrown.code === "40001" || thrown.code === "40P01");
}

/** A transaction was undone, and its connection ended, because this hub or PostgreSQL stood still in its midst: likewise. */
export function isTornOff(thrown: unknown): boolean {
  return thrown instanceof pg.DatabaseError && thrown.code === "25P03";
}

/**
 * The trouble that an error of PostgreSQL or of the way to it means. Undefined for an error that is about one statement, as a
 * broken rule of a table. `where` names the database, without secrets.
 */
export function troubleOf(thrown: unknown, where: string): Trouble | undefined {
  if (!(thrown instanceof pg.DatabaseError)) {
    return away(`${where} does not answer: check that it runs, and the way to it`, thrown);
  }
  const code = thrown.code ?? "";
  switch (code) {
    case "53100":
      return here("exhausted", `no space left on the disk of ${where}: free some`, thrown);
    case "53200":
      return here("exhausted", `no memory left for ${where}: give it more`, thrown);
    case "25006":
      return here("unavailable", `${where} takes no writes: is it the standby of another one?`, thrown);
    case "57014":
    case "55P03":
      return here("unavailable", `${where} took too long: see what it is busy with, and try again`, thrown);
    case "53300":
      return away(
        `${where} takes no more connections: raise its max_connections, or lower hub.store_connections`,
        thrown,
      );
    case "28000":
    case "28P01":
      return away(`${where} refuses this hub: check the user and the password of hub.store_url`, thrown);
    case "3D000":
      return away(`there is no database ${where}: make it with createdb, or check hub.store_url`, thrown);
    case "42501":
      return away(`the user of this hub may not do what it must in ${where}: make it the owner`, thrown);
  }
  // Connection exceptions, and a server that starts, stops or was crashed by another connection.
  if (code.startsWith("08") || /^57P0[1-5]$/.test(code)) {
    return away(`${where} is not ready: wait until it has started`, thrown);
  }
  return undefined;
}

function away(message: string, cause: unknown): Trouble {
  return { failure: failure("unavailable", message, { cause }), isAway: true };
}

function here(kind: "exhausted" | "unavailable", message: string, cause: unknown): Trouble {
  return { failure: failure(kind, message, { cause }), isAway: false };
}
