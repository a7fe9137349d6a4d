import { randomUUID } from "node:crypto";

/** A new id with its noun in front, as in `cmd-0b6e...`, so that an id in a log says what it names. */
export function newId(noun: string): string {
  return `${noun}-${randomUUID()}`;
}
