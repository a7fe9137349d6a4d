/** A node with the daemon's own line, journal and queue on a state file. Its commands are counted, and change nothing. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { RuntimeChangeKind, RuntimeChangeSchema } from "../../../gen/edge/v1/events_pb.ts";
import {
  ListRuntimesResponseSchema,
  RestartRuntimeResponseSchema,
} from "../../../gen/edge/v1/runtimes_pb.ts";
import { type Credentials, credentialsIn } from "../../../src/daemon/identity/index.ts";
import type { Dispatch } from "../../../src/daemon/work/index.ts";
import { openNode } from "../../daemon/control/node.ts";
import type { Cell } from "./cell.ts";

export interface CountedNode extends AsyncDisposable {
  nodeId: string;
  /** Ids of the commands that it began, in that order. */
  begun: readonly string[];
  readonly isUp: boolean;
  /** How often a line that was up went down. */
  readonly losses: number;
  /** Its identity, and the next one while that is tried. */
  credentials: Credentials;
}

export interface CountedOptions {
  /** Which of the cell's identities it has. Nodes prefer one hub after another. */
  at: number;
  /** How long it takes for a command, in milliseconds. */
  answerMs: number;
}

/** Opens it; it dials. For each command that it begins, it tells an event with the command's id. */
export async function openCountedNode(cell: Cell, { at, answerMs }: CountedOptions): Promise<CountedNode> {
  const { folder, hubs, rootPem, identities } = cell;
  const known = identities[at];
  if (!known) throw new Error(`the cell has no identity ${at}`);
  const ports = [...hubs.slice(at % hubs.length), ...hubs.slice(0, at % hubs.length)];
  const lineAddresses = ports.map(({ linePort }) => `127.0.0.1:${linePort}`);
  const begun: string[] = [];
  const carryOut: Dispatch = async (request, ask) => {
    if (request.case !== "restartRuntime") {
      return { case: "listRuntimes", value: create(ListRuntimesResponseSchema) };
    }
    begun.push(ask.id);
    const value = create(RuntimeChangeSchema, { name: request.value.name, kind: RuntimeChangeKind.STARTED });
    node.journal.record({ case: "runtime", value }, { reason: ask.id, commandId: ask.id });
    await sleep(answerMs);
    return { case: "restartRuntime", value: create(RestartRuntimeResponseSchema) };
  };
  const home = join(folder, known.nodeId);
  await mkdir(home);
  const identity = { ...known, caPem: rootPem, lineAddresses };
  // Pauses as they are, but shorter: how long they may be is not what is tried here.
  const random = () => Math.random() / 10;
  const node = await openNode(home, identity, carryOut, undefined, { random });
  let losses = 0;
  let wasUp = false;
  node.line.changes.listen(() => {
    const isUp = node.line.state.is === "up";
    if (wasUp && !isUp) losses++;
    wasUp = isUp;
  });
  return {
    ...{ nodeId: known.nodeId, begun, credentials: credentialsIn(home, known.nodeId) },
    get isUp() {
      return node.line.state.is === "up";
    },
    get losses() {
      return losses;
    },
    [Symbol.asyncDispose]: () => node[Symbol.asyncDispose](),
  };
}
