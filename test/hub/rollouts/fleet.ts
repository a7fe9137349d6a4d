import assert from "node:assert/strict";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type ResultSchema, ResultSchema as schema } from "../../../gen/edge/v1/command_pb.ts";
import { type RuntimeStatusSchema, StatusSchema } from "../../../gen/edge/v1/control_pb.ts";
import { FailureKind } from "../../../gen/edge/v1/failure_pb.ts";
import {
  type Rollout,
  RolloutBackState,
  RolloutNodeState,
  RolloutState,
  type StartRolloutRequest,
  StartRolloutRequestSchema,
} from "../../../gen/edge/v1/rollouts_pb.ts";
import { ApplyWishesRequestSchema, PlannedAction } from "../../../gen/edge/v1/wishes_pb.ts";
import { word } from "../../../src/cli/answer.ts";
import type { Rooms } from "../fleet/rooms.ts";

type StartRolloutInit = Omit<StartRolloutRequest, "$typeName" | "$unknown" | "selector"> & {
  selector: { key: string; value: string }[];
};

/** A request for these nodes, as asked for by `start`. */
export function requestOf(nodeIds: string[], more: Partial<StartRolloutInit> = {}): StartRolloutRequest {
  const wishes = create(ApplyWishesRequestSchema, { runtimes: [{ name: "plc1", image: "plc" }] });
  const { selector = [], ...rest } = more;
  return create(StartRolloutRequestSchema, { id: "r1", nodeIds, wishes, selector, ...rest });
}

/** Begins a rollout, and does what can be done of it now. */
export async function begin({ rollouts }: Rooms, request: StartRolloutRequest): Promise<Rollout> {
  await rollouts.start(request, { actor: "operator/t" });
  await rollouts.advance();
  return await rollouts.get(request.id);
}

/** What a node may answer. */
export const answers = {
  done: { case: "applyWishes", value: { runtimes: [{ name: "plc1", changes: [{ field: "image" }] }] } },
  half: {
    case: "applyWishes",
    value: {
      runtimes: [
        { name: "plc1" },
        { name: "plc2", failure: { kind: FailureKind.UNAVAILABLE, message: "no image" } },
      ],
    },
  },
  changed: {
    case: "applyWishes",
    value: {
      runtimes: [{ name: "plc1", action: PlannedAction.UPDATE }],
      before: { runtimes: [{ name: "plc1", image: "plc:old" }], absentRuntimes: ["plc2"] },
    },
  },
  badly: {
    case: "applyWishes",
    value: {
      runtimes: [
        {
          name: "plc1",
          action: PlannedAction.UPDATE,
          failure: { kind: FailureKind.UNAVAILABLE, message: "no image" },
        },
      ],
      before: { runtimes: [{ name: "plc1", image: "plc:old" }] },
    },
  },
  refused: { case: "failure", value: { kind: FailureKind.DENIED, message: "the policy says no" } },
} satisfies Record<string, NonNullable<MessageInitShape<typeof ResultSchema>["outcome"]>>;

/** The commands that a node takes now from its line, which it then has. */
export async function take({ commands: { deliveries } }: Rooms, nodeId: string, after = 0) {
  const taken = await deliveries.next(nodeId, after, 100);
  const last = taken.at(-1);
  if (last) await deliveries.acknowledged(nodeId, last.sequence);
  return taken.map(({ command, sequence }) => ({ id: command.id, sequence }));
}

/** A node answers a command. */
export async function answer(
  { store, commands }: Rooms,
  nodeId: string,
  commandId: string,
  how: keyof typeof answers,
): Promise<void> {
  const result = create(schema, { commandId, outcome: answers[how] });
  const { told } = await store.write((tx) => commands.deliveries.finished(tx, nodeId, result));
  told();
}

/** A rollout in short: its state, then each node's, as in `running: succeeded running waiting`. */
export function inShort({ state, nodes }: Rollout): string {
  const words = nodes.map((node) => word(RolloutNodeState, node.state));
  return `${word(RolloutState, state)}: ${words.join(" ")}`;
}

/** The same of the ways back, `-` where there is none. */
export function backInShort({ state, nodes }: Rollout): string {
  const words = nodes.map(({ back }) => (back ? word(RolloutBackState, back.state) : "-"));
  return `${word(RolloutState, state)}: ${words.join(" ")}`;
}

/** What a node says of its only runtime. */
export function says(
  { fleet }: Rooms,
  nodeId: string,
  runtime: MessageInitShape<typeof RuntimeStatusSchema>,
): void {
  fleet.presence.said(nodeId, create(StatusSchema, { runtimes: [{ name: "plc1", ...runtime }] }));
}

/** The sentence of a node's failure. */
export function sentenceOf({ nodes }: Rollout, nodeId: string): string {
  return (
    nodes.find((node) => node.nodeId === nodeId)?.failure?.message ?? assert.fail(`${nodeId} did not fail`)
  );
}
