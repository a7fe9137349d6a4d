import { create } from "@bufbuild/protobuf";
import {
  type AllowEgressRequest,
  type GuardEgressRequest,
  NetMon,
  ReadDeniedEgressRequestSchema,
  type ReadDeniedEgressResponse,
} from "../../../gen/edge/v1/netmon_pb.ts";
import { asFailure, failure } from "../../base/failure.ts";
import { NetmonClient } from "../network/index.ts";

/** Each takes milliseconds; a machine that is swapping may take its time. */
const timeoutMs = 15_000;

/** What netmon does for agents. */
export interface Filter extends Disposable {
  /** @throws {Failure} it is not closed, and no program may be started in it. */
  guard(request: GuardEgressRequest, signal: AbortSignal): Promise<void>;
  /** @throws {Failure} it is not open to them. */
  allow(request: AllowEgressRequest, signal: AbortSignal): Promise<void>;
  /** @throws {Failure} nothing was read. */
  read(containerIds: readonly string[], signal: AbortSignal): Promise<ReadDeniedEgressResponse>;
}

/** Netmon at its socket. It need not be there yet. */
export function filterAt(socket: string): Filter {
  const client = new NetmonClient(socket);
  const { guardEgress, allowEgress, readDeniedEgress } = NetMon.method;
  return {
    async guard(request, signal) {
      try {
        await client.call(guardEgress, request, { signal, timeoutMs });
      } catch (thrown) {
        signal.throwIfAborted();
        const { kind, message } = asFailure(thrown);
        const sentence = `an agent with a network is not started without netmon, which closes it but for what is allowed: ${message}`;
        throw failure(kind, sentence, { cause: thrown });
      }
    },
    async allow(request, signal) {
      await client.call(allowEgress, request, { signal, timeoutMs });
    },
    read: (ids, signal) =>
      client.call(readDeniedEgress, create(ReadDeniedEgressRequestSchema, { containerIds: [...ids] }), {
        ...{ signal, timeoutMs },
      }),
    [Symbol.dispose]: () => client[Symbol.dispose](),
  };
}
