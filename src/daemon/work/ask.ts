import type { Caller } from "../../../gen/edge/v1/policy_pb.ts";
import type { CommandCase, RequestOf, ResponseOf } from "../../wire/commands.ts";

/** Who asks, and how to tell them: what a handler knows of the command beside its request. */
export interface Ask {
  /** The command's id, which labels what is made for it. */
  id: string;
  /** Who asked, for people. */
  actor: string;
  /** Who asked, for policy. Absent when it is the node itself. */
  caller?: Caller;
  /** Aborted with a failure as its reason: `deadline` when the budget is used up, `cancelled` when it was called off. */
  signal: AbortSignal;
  /** Tells how far it is. Only the newest counts, and it may be told as often as it changes. */
  progress(phase: string, doneBytes?: number, totalBytes?: number, detail?: string): void;
  /** Lets the next command about the same workload begin: this one only waits from now on. Absent where nobody is kept waiting. */
  letOthers?: () => void;
}

/** Does one capability: returns the response, or throws a failure. */
export type Handler<Rooms, C extends CommandCase> = (
  rooms: Rooms,
  request: RequestOf<C>,
  ask: Ask,
) => Promise<ResponseOf<C>>;

/** Every capability with its handler. Forgetting one, or wiring one with another's answer, does not compile. */
export type Table<Rooms> = { [C in CommandCase]: Handler<Rooms, C> };
