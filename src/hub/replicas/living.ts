/** A replica as its row tells. */
export interface ReplicaRow {
  id: string;
  beats: number;
}

/** What was seen of another replica: the beats at the last look, and at how many looks since they stood still. */
interface Seen {
  beats: number;
  still: number;
}

/** At so many looks in a row a replica may stand still. */
export const stillLimit = 5;

/**
 * Which replicas are alive, from rows that were read one look after another. Time is counted in looks that succeeded: while the store
 * is away nobody can beat, and nobody is taken for dead.
 */
export class Living {
  #seen = new Map<string, Seen>();

  /** Whether a replica was ever met. */
  knows(id: string): boolean {
    return this.#seen.has(id);
  }

  /** Whether it is there and beats. */
  has(id: string): boolean {
    const seen = this.#seen.get(id);
    return seen !== undefined && seen.still < stillLimit;
  }

  /** Rows that were read out of turn: who is new is met, and nobody is counted. */
  meet(rows: readonly ReplicaRow[]): void {
    for (const { id, beats } of rows) {
      if (!this.#seen.has(id)) this.#seen.set(id, { beats, still: 0 });
    }
  }

  /** All rows at a look. Returns who is alive now and was not, who was and is not, and who has a row and is dead. */
  look(rows: readonly ReplicaRow[]): { back: string[]; gone: string[]; dead: ReplicaRow[] } {
    const before = [...this.#seen.keys()].filter((id) => this.has(id));
    const next = new Map<string, Seen>();
    for (const { id, beats } of rows) {
      const seen = this.#seen.get(id);
      next.set(id, seen?.beats === beats ? { beats, still: seen.still + 1 } : { beats, still: 0 });
    }
    this.#seen = next;
    return {
      back: rows.map(({ id }) => id).filter((id) => this.has(id) && !before.includes(id)),
      gone: before.filter((id) => !this.has(id)),
      dead: rows.filter(({ id }) => !this.has(id)),
    };
  }
}
