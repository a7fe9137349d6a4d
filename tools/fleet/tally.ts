/** What the nodes of a share did since it was told last, for the parent. */
export interface Told {
  beats: number;
  /** Commands that were answered. */
  commands: number;
  /** Nodes whose line came up, and went down. */
  up: string[];
  down: string[];
  /** How often each code of `RejectCode` was heard. */
  rejected: Record<number, number>;
}

export class Tally {
  beats = 0;
  commands = 0;
  #up: string[] = [];
  #down: string[] = [];
  #rejected: Record<number, number> = {};

  up(nodeId: string): void {
    this.#up.push(nodeId);
  }

  down(nodeId: string): void {
    this.#down.push(nodeId);
  }

  rejected(code: number): void {
    this.#rejected[code] = (this.#rejected[code] ?? 0) + 1;
  }

  /** What there is to tell; it counts from nothing again. */
  take(): Told {
    const { beats, commands } = this;
    const told = { beats, commands, up: this.#up, down: this.#down, rejected: this.#rejected };
    this.beats = 0;
    this.commands = 0;
    this.#up = [];
    this.#down = [];
    this.#rejected = {};
    return told;
  }
}
