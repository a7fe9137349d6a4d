import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import type { Database } from "../../src/base/sql.ts";
import { type Life, Over } from "./life.ts";

/** What becomes of a commit: kept; refused, because the disk is full; or the power goes right before or right after it. */
export type Fate = "kept" | "full" | "cut before" | "cut after";

/**
 * A disk that outlives programs: real SQLite, in memory, with exactly what was committed. A program reaches it through a mount,
 * which is dead when the program is.
 */
export class Disk {
  readonly #database = new DatabaseSync(":memory:");
  /** Asked at each commit. */
  fate: () => Fate = () => "kept";

  /** One that holds what this one has committed. */
  copy(): Disk {
    const copy = new Disk();
    copy.#database.deserialize(this.#database.serialize());
    return copy;
  }

  close(): void {
    this.#database.close();
  }

  /** Looks at what is there, as nobody in the world can. */
  look(text: string, ...values: SQLInputValue[]): Record<string, unknown>[] {
    return this.#database.prepare(text).all(...values);
  }

  /** Has SQLite write down by itself what a program writes: a trigger is part of the same commit. */
  witness(...statements: readonly string[]): void {
    for (const statement of statements) this.#database.exec(statement);
  }

  /** The disk as a program sees it. What an earlier one had begun and not committed is undone. `cut` ends the program. */
  mount(life: Life, cut: () => void): Database {
    const database = this.#database;
    if (database.isTransaction) database.exec("ROLLBACK");
    const living = <T>(act: () => T): T => {
      if (life.isOver) throw new Over("the disk of a program that has ended");
      return act();
    };
    const commit = <T>(act: () => T): T => {
      const fate = this.fate();
      if (fate === "full") throw Object.assign(new Error("database or disk is full"), { errcode: 13 });
      if (fate === "kept") return act();
      if (fate === "cut after") act();
      cut();
      throw new Over(`the power went: ${fate}`);
    };
    /** A statement ends in a commit when it is one, or when it stands alone. */
    const isCommit = (text: string) =>
      text === "COMMIT" || !(database.isTransaction || text.startsWith("BEGIN"));
    return {
      exec: (text) =>
        living(() => (isCommit(text) ? commit(() => database.exec(text)) : database.exec(text))),
      prepare: (text) => {
        const statement = living(() => database.prepare(text));
        return {
          all: (...values: SQLInputValue[]) => living(() => statement.all(...values)),
          get: (...values: SQLInputValue[]) => living(() => statement.get(...values)),
          run: (...values: SQLInputValue[]) =>
            living(() =>
              isCommit(text) ? commit(() => statement.run(...values)) : statement.run(...values),
            ),
        };
      },
      close: () => {},
      get isOpen() {
        return !life.isOver;
      },
      get isTransaction() {
        return !life.isOver && database.isTransaction;
      },
    };
  }
}
