import { type Command, InvalidArgumentError } from "commander";
import { failure } from "../base/failure.ts";
import { duration } from "./flags.ts";
import { isForMany, type ManyFlags, withManyFlags } from "./many-nodes.ts";

/** How many nodes may fail: a number, or a part of them in percent. */
interface FailureLimit {
  maxFailures: number;
  maxFailuresPercent: number;
}

/** Flags by which what is meant for one node is rolled out to many. */
export interface RolloutFlags extends ManyFlags {
  batch?: string;
  maxFailures?: FailureLimit;
  /** Milliseconds. */
  settle?: number;
  /** Milliseconds. */
  nodeTimeout?: number;
  skipOffline: boolean;
  rollBack: boolean;
  rolloutId?: string;
}

/** How long runtimes must be healthy when `--settle` does not say, in milliseconds. */
export const usualSettleMs = 10_000;

/** Adds them to a command. */
export function withRolloutFlags(command: Command): Command {
  return withManyFlags(command)
    .option("--batch <count|part>", "nodes of a batch, as in 5 or 10%; all when not given")
    .option(
      "--max-failures <count|part>",
      "how many nodes may fail before no further batch begins, as in 2 or 5%; none when not given",
      parseFailureLimit,
    )
    .option(
      "--settle <duration>",
      "how long runtimes must stay healthy before a node counts as done; 10s when not given",
      duration,
    )
    .option("--roll-back", "bring back what each node had, when the rollout fails", false)
    .option("--node-timeout <duration>", "how long each node may take; 1h when not given", duration)
    .option("--skip-offline", "leave out nodes that are away when their batch begins", false)
    .option("--rollout-id <id>", "id of the rollout: the same again begins no second one");
}

/** @throws {InvalidArgumentError} it is neither. */
export function parseFailureLimit(text: string): FailureLimit {
  const [, number = "", percent = ""] = /^(\d{1,5})(%?)$/.exec(text) ?? [];
  const value = Number(number);
  if (number !== "" && percent === "" && value <= 10_000)
    return { maxFailures: value, maxFailuresPercent: 0 };
  if (number !== "" && percent !== "" && value <= 100) return { maxFailures: 0, maxFailuresPercent: value };
  throw new InvalidArgumentError("It must be a number of nodes such as 2, or a part such as 5%.");
}

/** Refuses what would say nothing where one node is meant. @throws {Failure} invalid. */
export function refuseLoneFlags(flags: RolloutFlags): void {
  if (isForMany(flags)) return;
  const { batch, nodeTimeout, rolloutId, maxFailures, settle, skipOffline, rollBack } = flags;
  const isAnyGiven = [batch, nodeTimeout, rolloutId, maxFailures, settle].some((one) => one !== undefined);
  if (!isAnyGiven && !skipOffline && !rollBack) return;
  throw failure("invalid", "this is for many nodes: say which with --selector, --group, --nodes or --all");
}
