import { addAbortSignal, type Readable } from "node:stream";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { type Timestamp, timestampDate } from "@bufbuild/protobuf/wkt";
import type Docker from "dockerode";
import {
  type GetRuntimeLogsRequest,
  type GetRuntimeLogsResponseSchema,
  LogStream,
} from "../../../gen/edge/v1/runtimes_pb.ts";
import { failure, invalidFields } from "../../base/failure.ts";
import { Gate } from "../../base/gate.ts";
import { type Engine, isNotFound, type ObservedContainer, translated } from "../engine/index.ts";
import { atOf, entriesOf, isBefore, momentOf } from "./log-lines.ts";
import { Tail } from "./log-tail.ts";

/** What the contract says for a request that does not say. */
const defaults = { lines: 100, bytes: 960 << 10 };
/** Logs read at once: each may be long, and makes the engine work. */
const atOnce = 4;
/** How long reading one may take, in milliseconds: less than a read's caller waits. */
const usualMs = 20_000;
const doing = "tell the container's log";

/** Reads logs of containers, a few at a time. */
export class Logs {
  readonly #engine: Engine;
  readonly #limitMs: number;
  readonly #gate = new Gate(atOnce);

  constructor(engine: Engine, { limitMs = usualMs }: { limitMs?: number } = {}) {
    this.#engine = engine;
    this.#limitMs = limitMs;
  }

  /**
   * The newest lines of a container that are asked for; see the contract. However long the log is, only they are kept.
   * @throws {Failure} invalid, not_found, unavailable, deadline.
   */
  async read(
    container: ObservedContainer,
    request: GetRuntimeLogsRequest,
    signal: AbortSignal,
  ): Promise<MessageInitShape<typeof GetRuntimeLogsResponseSchema>> {
    checkRange(request);
    const tail = new Tail({
      lines: request.tailLines || defaults.lines,
      bytes: request.maxBytes || defaults.bytes,
    });
    const late = AbortSignal.timeout(this.#limitMs);
    const stop = AbortSignal.any([signal, late]);
    try {
      await this.#gate.run(stop, () => this.#fill(tail, container.id, request, stop));
    } catch (thrown) {
      signal.throwIfAborted();
      if (late.aborted) {
        const sentence = `the log of runtime ${request.name} could not be read within ${this.#limitMs / 1000} s`;
        throw failure("deadline", `${sentence}: ask for less of it with since`, { cause: thrown });
      }
      if (!isNotFound(thrown)) throw translated(thrown, doing, this.#engine.host);
      const sentence = `the container of runtime ${request.name} is just being replaced: ask again in a moment`;
      throw failure("unavailable", sentence, { cause: thrown });
    }
    const { lines, leftOut } = tail.read();
    const containerCreatedAt = momentOf(container.createdAt);
    return {
      lines,
      leftOut,
      containerId: container.id,
      containerCreatedAt,
      recreated: container.isReplacement,
    };
  }

  async #fill(tail: Tail, id: string, request: GetRuntimeLogsRequest, stop: AbortSignal): Promise<void> {
    const pieces = await this.#engine.call(
      doing,
      stop,
      (docker) => openLog(docker, id, request, stop),
      this.#limitMs,
    );
    const wanted = Buffer.from(request.grep);
    for await (const entry of entriesOf(pieces)) {
      if (request.stream !== LogStream.UNSPECIFIED && entry.stream !== request.stream) continue;
      if (!entry.bytes.includes(wanted, entry.bytes.indexOf(" ") + 1)) continue;
      if (request.since && isBefore(atOf(entry), request.since)) continue;
      if (request.until && !isBefore(atOf(entry), request.until)) continue;
      tail.add(entry);
    }
  }
}

/** The whole log, or its end where that is enough. The library would hold a log in memory: to it, only what goes on is a stream. */
function openLog(
  docker: Docker,
  id: string,
  request: GetRuntimeLogsRequest,
  signal: AbortSignal,
): Promise<Readable> {
  const { since, until, stream, grep, tailLines } = request;
  // The engine counts lines before it leaves some out for their stream or for `until`.
  const isEnd = stream === LogStream.UNSPECIFIED && grep === "" && until === undefined;
  const options = {
    ...{ stdout: true, stderr: true, timestamps: true },
    // One more than asked for tells whether there are more.
    tail: isEnd ? (tailLines || defaults.lines) + 1 : "all",
    ...(since && since.seconds > 0n && { since: secondsOf(since) }),
    ...(until && until.seconds > 0n && { until: secondsOf(until) }),
  };
  const statusCodes = { 200: true, 404: "no such container", 500: "server error" };
  const path = `/containers/${id}/logs?`;
  return new Promise((resolve, reject) => {
    docker.modem.dial(
      { path, method: "GET", isStream: true, statusCodes, options, abortSignal: signal },
      (error: Error | null, answer: unknown) => {
        if (error) reject(error);
        else resolve(addAbortSignal(signal, answer as Readable)); // What `isStream` asks for.
      },
    );
  });
}

/** As the engine reads a moment: seconds since 1970, with nanoseconds behind the point. */
function secondsOf({ seconds, nanos }: Timestamp): string {
  return `${seconds}.${String(nanos).padStart(9, "0")}`;
}

function checkRange({ since, until }: GetRuntimeLogsRequest): void {
  if (!since || !until || isBefore(since, until)) return;
  throw invalidFields([
    { field: "since", message: `${timestampDate(since).toISOString()} is not before until` },
    { field: "until", message: `${timestampDate(until).toISOString()} is not after since` },
  ]);
}
