/** Somebody who knows all hubs of a cell: what one of them does not answer is asked of the next, as it was. */
import { setTimeout as sleep } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { CommandSchema, type Result } from "../../../gen/edge/v1/command_pb.ts";
import { Fleet, type WatchEventsResponse } from "../../../gen/edge/v1/fleet_pb.ts";
import { isLoss } from "../../../src/cli/patience.ts";
import type { Replica } from "./cell.ts";

/** How long one hub may take for one answer, in milliseconds: one that stands still says nothing at all. */
const answerMs = 4_000;
const pauseMs = 100;

export interface Operator extends AsyncDisposable {
  /** Puts a restart of a runtime into a node's queue. Asked again, it is the same command. */
  submit(nodeId: string, id: string, runtime: string): Promise<void>;
  /** Watches a command until it has its result. */
  result(id: string): Promise<Result>;
  /** What the hubs told of nodes' events, in the order of their positions: watched all the time, from where it was left. */
  events: readonly WatchEventsResponse[];
  /** Sentences of failures that were heard and that trying again was an answer to, each with how often. */
  heard: ReadonlyMap<string, number>;
}

export function openOperator(hubs: readonly Replica[]): Operator {
  const fleets = hubs.map((hub) => hub.client(Fleet));
  const heard = new Map<string, number>();
  const events: WatchEventsResponse[] = [];
  let turn = 0;
  const closing = new AbortController();

  /** Asks one hub after another until one does it. @throws what no second try can help. */
  async function ask<T>(work: (fleet: (typeof fleets)[number]) => Promise<T | undefined>): Promise<T> {
    for (;;) {
      const fleet = fleets[turn++ % fleets.length];
      try {
        const done = fleet && (await work(fleet));
        if (done !== undefined) return done;
      } catch (thrown) {
        closing.signal.throwIfAborted();
        if (!isLoss(thrown) && !isLate(thrown)) throw thrown;
        const { code, rawMessage } = ConnectError.from(thrown);
        const sentence = `${Code[code]}: ${rawMessage}`;
        heard.set(sentence, (heard.get(sentence) ?? 0) + 1);
      }
      await sleep(pauseMs, undefined, { signal: closing.signal });
    }
  }

  async function follow(): Promise<void> {
    const until = { signal: closing.signal, timeoutMs: answerMs };
    while (!closing.signal.aborted) {
      await ask(async (fleet) => {
        const afterPosition = events.at(-1)?.position ?? 0n;
        for await (const one of fleet.watchEvents({ afterPosition, last: 10_000 }, until)) events.push(one);
        return true;
      });
    }
  }
  const following = follow().catch((thrown: unknown) => {
    if (!closing.signal.aborted) throw thrown;
  });
  return {
    ...{ events, heard },
    async submit(nodeId, id, runtime) {
      const request = { case: "restartRuntime" as const, value: { name: runtime } };
      const command = create(CommandSchema, { id, request });
      await ask((fleet) => fleet.submitCommand({ nodeId, command }, { timeoutMs: answerMs }));
    },
    result: (id) =>
      ask(async (fleet) => {
        for await (const { command } of fleet.watchCommand({ id }, { timeoutMs: answerMs })) {
          if (command?.result) return command.result;
        }
        return undefined;
      }),
    async [Symbol.asyncDispose]() {
      closing.abort();
      await following;
    },
  };
}

function isLate(thrown: unknown): boolean {
  return ConnectError.from(thrown).code === Code.DeadlineExceeded;
}
