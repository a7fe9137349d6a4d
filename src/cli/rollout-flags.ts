import type { Command } from "commander";
import { failure } from "../base/failure.ts";
import { checked, duration, whole } from "./flags.ts";
import { type LabelText, parseSelector } from "./labels.ts";

/** Flags by which what is meant for one node is rolled out to many. */
export interface RolloutFlags {
  selector?: LabelText[];
  nodes?: string[];
  batch?: string;
  maxFailures: number;
  /** Milliseconds. */
  nodeTimeout?: number;
  skipOffline: boolean;
  rolloutId?: string;
}

/** Adds them to a command. */
export function withRolloutFlags(command: Command): Command {
  return command
    .option("--selector <key=value,...>", "all nodes that have these labels", checked(parseSelector))
    .option("--nodes <node,...>", "these nodes, in this order", (text) => text.split(","))
    .option("--batch <count|part>", "nodes of a batch, as in 5 or 10%; all when not given")
    .option(
      "--max-failures <count>",
      "how many nodes may fail before no further batch begins",
      whole(0, 10_000),
      0,
    )
    .option("--node-timeout <duration>", "how long each node may take; 1h when not given", duration)
    .option("--skip-offline", "leave out nodes that are away when their batch begins", false)
    .option("--rollout-id <id>", "id of the rollout: the same again begins no second one");
}

/** Refuses what would say nothing where one node is meant. @throws {Failure} invalid. */
export function refuseLoneFlags(flags: RolloutFlags): void {
  const { batch, nodeTimeout, rolloutId, maxFailures, skipOffline } = flags;
  const isAnyGiven = [batch, nodeTimeout, rolloutId].some((one) => one !== undefined);
  if (!isAnyGiven && maxFailures === 0 && !skipOffline) return;
  throw failure("invalid", "this is for many nodes: say which with --selector or --nodes");
}

/** Whether many nodes are meant. */
export function isForMany({ selector, nodes }: RolloutFlags): boolean {
  return selector !== undefined || nodes !== undefined;
}
