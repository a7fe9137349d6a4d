import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type InvokeRuntimeRequest,
  type InvokeRuntimeResponseSchema,
  InvokeScheme,
} from "../../../gen/edge/v1/invoke_pb.ts";
import { type Runtime, RuntimePhase } from "../../../gen/edge/v1/runtimes_pb.ts";
import { asFailure, type Failure, failure } from "../../base/failure.ts";
import type { Sql } from "../../base/sql.ts";
import type { Journal } from "../journal/index.ts";
import type { Ask } from "../work/index.ts";
import { checkCertificate, type Notary } from "./certificate.ts";
import { connectTo, hostOf } from "./connect.ts";
import { exchange } from "./exchange.ts";
import { noAnswer } from "./no-answer.ts";
import { isAllowed } from "./policy.ts";
import { checkRequest, headersOf, headOf, isRepeatable } from "./request.ts";
import { Pins, SentOnce } from "./store.ts";
import { Turns } from "./turns.ts";

export interface InvokeOptions {
  /** The daemon's state file, opened with this room's `schema`. */
  sql: Sql;
  journal: Journal;
  /** `invoke.allow`. */
  allow: readonly string[];
  /** What is known of runtimes. */
  runtimes: {
    /** @throws {Failure} not_found. */
    get(name: string, signal: AbortSignal): Promise<Runtime>;
    has(name: string): boolean;
  };
}

/** Requests at one runtime at once, and those that wait: a runtime's own server is small. */
const perRuntime = { atOnce: 4, waiting: 16 };
/** The whole time of a request that does not say, in milliseconds. */
const defaultTimeoutMs = 30_000;
/** The port of a request that does not say: OpenPLC's. */
const defaultPort = 8443;
/** The largest body of an answer: with its head and its envelope it fits into a frame. The contract says it, too. */
const maxResponseBytes = 960 << 10;

/** Sends requests to runtimes. Closing it ends those that are under way; what they did they did. */
export class Invoke implements Disposable {
  readonly #options: InvokeOptions;
  readonly #notary: Notary;
  readonly #sentOnce: SentOnce;
  readonly #turns = new Turns(perRuntime);
  readonly #closing = new AbortController();

  private constructor(options: InvokeOptions) {
    const { sql, journal, runtimes } = options;
    this.#options = options;
    this.#notary = { sql, journal, pins: new Pins(sql), exists: (name) => runtimes.has(name) };
    this.#sentOnce = new SentOnce(sql);
  }

  static open(options: InvokeOptions): Invoke {
    return new Invoke(options);
  }

  [Symbol.dispose](): void {
    this.#closing.abort(failure("unavailable", "the daemon stops"));
  }

  /** Sends one request and returns the answer; see the contract. */
  async send(
    request: InvokeRuntimeRequest,
    { id, signal, progress }: Pick<Ask, "id" | "signal" | "progress">,
  ): Promise<MessageInitShape<typeof InvokeRuntimeResponseSchema>> {
    checkRequest(request);
    const { runtime, method, path } = request;
    if (!isRepeatable(method) && this.#sentOnce.has(id)) {
      throw noAnswer("in_doubt", `the daemon ended while it sent ${method} ${path} to ${runtime}: ${doubt}`);
    }
    const timeoutMs = request.timeoutMs || defaultTimeoutMs;
    const late = AbortSignal.timeout(timeoutMs);
    const stop = AbortSignal.any([signal, late, this.#closing.signal]);
    const way = { stage: waitingForTurn, wasSent: false };
    const reach = (stage: string, doneBytes?: number) => {
      way.stage = stage;
      progress(stage, doneBytes);
    };
    try {
      return await this.#turns.run(runtime, stop, () => this.#go(request, { id, stop, way, reach }));
    } catch (thrown) {
      const why = thrown === late.reason ? tooLate(runtime, timeoutMs, way.stage) : asFailure(thrown);
      if (!way.wasSent || isRepeatable(method)) throw why;
      throw failure(why.kind, `${why.message}; ${doubt}`, { word: why.word, cause: thrown });
    }
  }

  async #go(
    request: InvokeRuntimeRequest,
    { id, stop, way, reach }: { id: string; stop: AbortSignal; way: Way; reach: Reach },
  ): Promise<MessageInitShape<typeof InvokeRuntimeResponseSchema>> {
    const { method, path, scheme, trustNewCertificate: trustNew } = request;
    reach("asking the engine where it is");
    const runtime = await this.#options.runtimes.get(request.runtime, stop);
    const port = request.port || defaultPort;
    this.#mustBeAllowed(runtime, port, path);
    const address = addressOf(runtime);
    const tls = scheme !== InvokeScheme.HTTP;

    reach(`connecting to ${hostOf(address, port)}`);
    const { socket, sha256 } = await connectTo({ address, port, tls }, { signal: stop });
    using _closing = { [Symbol.dispose]: () => void socket.destroy() };
    if (tls) {
      const madeAt = runtime.createdAt ? timestampMs(runtime.createdAt) : 0;
      const at = { runtime: request.runtime, madeAt, port };
      checkCertificate(this.#notary, at, { seen: sha256, trustNew, commandId: id });
    }

    const asked = {
      ...{ method, path, body: request.body },
      head: headOf(request, hostOf(address, port)),
      maxResponseBytes: request.maxResponseBytes || maxResponseBytes,
      who: `runtime ${request.runtime} at ${hostOf(address, port)}`,
    };
    const send = () => {
      reach("waiting for the answer");
      way.wasSent = true;
      return exchange(socket, asked, {
        signal: stop,
        onBytes: (count) => reach("reading the answer", count),
      });
    };
    const { status, head, body } = await (isRepeatable(method) ? send() : this.#sentOnce.noting(id, send));
    return { status, headers: headersOf(head), body, certificateSha256: sha256 };
  }

  #mustBeAllowed({ spec }: Runtime, port: number, path: string): void {
    const published = (spec?.ports ?? []).map(({ runtimePort }) => runtimePort);
    if (isAllowed(this.#options.allow, { port, path, published })) return;
    const [bare] = path.split("?");
    throw failure(
      "denied",
      `this node does not let anybody ask port ${port} of ${spec?.name} for ${bare}: its setting \`invoke.allow\` lists what may be asked`,
    );
  }
}

const waitingForTurn = "waiting for its turn";

function tooLate(runtime: string, timeoutMs: number, stage: string): Failure {
  if (stage === waitingForTurn) {
    const sentence = `other requests to ${runtime} took the ${timeoutMs} ms of this one: try again when they are done`;
    return failure("exhausted", sentence);
  }
  return noAnswer(
    "timed_out",
    `runtime ${runtime} did not answer within ${timeoutMs} ms: they ended while ${stage}`,
  );
}

/** How far a request came. */
interface Way {
  stage: string;
  wasSent: boolean;
}

type Reach = (stage: string, doneBytes?: number) => void;

const doubt = "it may have been done, and is not sent again. Look before asking for it once more";

/** Where a runtime is on the bridge that it shares with the node. @throws {Failure} unavailable: not_running. */
function addressOf({ spec, phase, reason, addresses }: Runtime): string {
  const [first] = addresses;
  if (first && phase === RuntimePhase.RUNNING) return first.address;
  throw noAnswer("not_running", `runtime ${spec?.name} cannot be asked: ${reason || "it has no address"}`);
}
