import type { Cell, CellAsk, CellEnd, CellLog, FoundCell } from "../sandbox/index.ts";

/** Where cells are made and end: what this room asks of the sandbox. */
export interface CellHost {
  /**
   * Makes a cell. The program of one that is made for a command does not run before it has its input; that of one that is made ahead
   * runs, and waits for it. Of one that could not be made, nothing is left.
   */
  start(ask: CellAsk, signal: AbortSignal): Promise<Cell>;
  /** Hands over all of the input, and its end. A program that ended before it read all of it is no failure. */
  give(cell: Cell, input: Uint8Array, signal: AbortSignal): Promise<void>;
  /** Waits for the end of its program; of a cell of a former life of the daemon, too. */
  ended(cell: Cell, signal: AbortSignal): Promise<CellEnd>;
  /** TERM, the grace, KILL. Returns when it does not run. */
  stop(cell: Cell, graceMs: number, signal: AbortSignal): Promise<void>;
  /** Removes it with all that others put into it. One that is gone is the same success. */
  remove(cell: Cell, signal: AbortSignal): Promise<void>;
  /** The newest lines that it wrote. */
  logs(cell: Cell, signal: AbortSignal): Promise<CellLog>;
  /** What former lives of the daemon left; to be asked once, before the first start. */
  found(signal: AbortSignal): Promise<FoundCell[]>;
  /** What the engine has of this daemon now. */
  list(signal: AbortSignal): Promise<FoundCell[]>;
}
