import { Agent } from "node:http";
import { inspect } from "node:util";
import Docker from "dockerode";
import { label } from "../../wire/labels.ts";
import { traced } from "../../wire/tracing.ts";
import { negotiate } from "./api-version.ts";
import { EngineFailure, isNotFound, isUnchanged, translated } from "./engine-failures.ts";
import { parseHost } from "./host.ts";
import { byRuntime, type Observed, type ObservedContainer, toObserved } from "./observed.ts";

/** How long the engine may take, in milliseconds. Generous: a loaded machine is slow, a hanging engine never answers. */
export interface EngineTimeouts {
  /** Questions, and what is done in an instant. */
  ask: number;
  /** Making, starting and removing. */
  act: number;
}

const defaultTimeouts: EngineTimeouts = { ask: 10_000, act: 60_000 };

/** What the engine says of itself. */
export interface EngineVersion {
  version: string;
  api: string;
}

/**
 * The container engine. Every call has a time limit and a signal, and every error is a failure of ours. Nothing is kept of
 * what the engine knows, but the API version: it is negotiated at the first call, and again after the engine was away.
 */
export class Engine implements Disposable {
  readonly host: string;
  readonly #options: Docker.DockerOptions;
  readonly #agent = Object.assign(new Agent({ keepAlive: true, maxSockets: 64 }), {
    // docker-modem makes a debug text of every request, agent and open sockets included, whether or not somebody reads it:
    // 10 ms each (lib/modem.js of 5.0, `util.inspect` with `depth: null`).
    [inspect.custom]: () => "Agent",
  });
  readonly #timeouts: EngineTimeouts;
  #ready: { docker: Docker; said: EngineVersion } | undefined;

  /** @throws {Failure} invalid: the host is not one. */
  constructor(host: string, timeouts: Partial<EngineTimeouts> = {}) {
    this.host = host;
    // The library hands `agent` on to Node; its types do not know.
    this.#options = { ...parseHost(host), agent: this.#agent } as Docker.DockerOptions;
    this.#timeouts = { ...defaultTimeouts, ...timeouts };
  }

  /** Closes idle connections. */
  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  /** Asks now who is there. */
  async version(signal: AbortSignal): Promise<EngineVersion> {
    this.#ready = undefined;
    return (await this.#negotiated(signal)).said;
  }

  /**
   * Runs one call of the client library.
   * @throws {Failure} unavailable: the engine cannot be reached, or did not answer in time. Else as `translated` says.
   */
  async call<T>(
    doing: string,
    signal: AbortSignal,
    work: (docker: Docker, signal: AbortSignal) => Promise<T>,
    timeoutMs = this.#timeouts.act,
  ): Promise<T> {
    return await traced(`engine: ${doing}`, { kind: "client", onlyWithin: true }, async () => {
      const { docker } = await this.#negotiated(signal);
      return await this.#guarded(doing, signal, timeoutMs, (stop) => work(docker, stop));
    });
  }

  /** All objects of an instance, or those of some runtimes, sorted by runtime. */
  async look(
    instanceId: string,
    which: string | ReadonlySet<string> | undefined,
    signal: AbortSignal,
  ): Promise<Map<string, Observed>> {
    const names = typeof which === "string" ? new Set([which]) : which;
    // Of runtimes only: cells, which are many and short, are looked after by their own room.
    const one = names?.size === 1 ? `${label.runtime}=${[...names].join("")}` : label.runtime;
    const labels = [`${label.instance}=${instanceId}`, one];
    const { containers, networks, volumes } = await this.labelled(labels, signal);
    const wanted = containers.filter(({ Labels }) => names?.has(Labels[label.runtime] ?? "") ?? true);
    const inspected = await inBatches(wanted, ({ Id }) => this.#inspect(Id, signal));
    const found = byRuntime({
      containers: inspected.filter((one) => one !== undefined),
      ...{ networks, volumes },
    });
    return names ? new Map([...found].filter(([name]) => names.has(name))) : found;
  }

  /** Everything that carries all of some labels. */
  async labelled(labels: readonly string[], signal: AbortSignal) {
    const filters = { label: [...labels] };
    const ask = <T>(doing: string, work: (docker: Docker, abortSignal: AbortSignal) => Promise<T>) =>
      this.call(doing, signal, work, this.#timeouts.ask);
    const [containers, networks, { Volumes }] = await Promise.all([
      ask("list containers", (docker, abortSignal) =>
        docker.listContainers({ all: true, filters, abortSignal }),
      ),
      ask("list networks", (docker, abortSignal) => docker.listNetworks({ filters, abortSignal })),
      ask("list volumes", (docker, abortSignal) => docker.listVolumes({ filters, abortSignal })),
    ]);
    return { containers, networks, volumes: Volumes ?? [] }; // Some engines say null for none.
  }

  /** One container; undefined when there is none. */
  async container(id: string, signal: AbortSignal): Promise<ObservedContainer | undefined> {
    const inspected = await this.#inspect(id, signal);
    return inspected && toObserved(inspected);
  }

  /** An image that the engine has; undefined when it has none of this reference. */
  async image(
    reference: string,
    signal: AbortSignal,
  ): Promise<{ id: string; repoDigests: readonly string[] } | undefined> {
    const inspected = await orUndefined(
      this.call(
        "look at the image",
        signal,
        (docker) => docker.getImage(reference).inspect(),
        this.#timeouts.ask,
      ),
    );
    return inspected && { id: inspected.Id, repoDigests: inspected.RepoDigests ?? [] };
  }

  /** Stops a container: SIGTERM, the grace, SIGKILL. One that is stopped is the same success. */
  async stop(id: string, graceMs: number, signal: AbortSignal): Promise<void> {
    const t = Math.ceil(graceMs / 1000);
    await orUnchanged(
      this.call(
        "stop the container",
        signal,
        (docker, abortSignal) => docker.getContainer(id).stop({ t, abortSignal }),
        t * 1000 + this.#timeouts.act,
      ),
    );
  }

  /** Starts a container. One that runs is the same success. */
  async start(id: string, signal: AbortSignal): Promise<void> {
    await orUnchanged(
      this.call("start the container", signal, (docker, abortSignal) =>
        docker.getContainer(id).start({ abortSignal }),
      ),
    );
  }

  /** What a container uses now, without the second's wait that makes the engine compute rates. */
  async stats(id: string, signal: AbortSignal): Promise<Docker.ContainerStats> {
    return await this.call(
      "measure the container",
      signal,
      (docker, abortSignal) => {
        const options = { stream: false as const, "one-shot": true, abortSignal };
        return docker.getContainer(id).stats(options);
      },
      this.#timeouts.ask,
    );
  }

  /** The engine's storage driver, as in `overlay2`. */
  async storageDriver(signal: AbortSignal): Promise<string> {
    const info = (docker: Docker) => docker.info() as Promise<{ Driver?: string }>; // The library's type is `any`.
    return (await this.call("tell its storage driver", signal, info, this.#timeouts.ask)).Driver ?? "";
  }

  /** Of the control groups that the engine uses. */
  async cgroupVersion(signal: AbortSignal): Promise<1 | 2> {
    const info = (docker: Docker) => docker.info() as Promise<{ CgroupVersion?: string }>; // As above.
    const { CgroupVersion } = await this.call("tell its control groups", signal, info, this.#timeouts.ask);
    return CgroupVersion === "2" ? 2 : 1;
  }

  /** The last lines that a container wrote: at most ten, at most a kilobyte, and nothing that steers a terminal. */
  async lastLines(id: string, signal: AbortSignal): Promise<string> {
    const options = { stdout: true, stderr: true, tail: 10, follow: false as const };
    const raw = await this.call(
      "read the container's log",
      signal,
      (docker, abortSignal) => docker.getContainer(id).logs({ ...options, abortSignal }),
      this.#timeouts.ask,
    );
    return withoutFrames(raw)
      .replace(/[^\P{C}\n]/gu, "")
      .trim()
      .slice(-1024);
  }

  async #inspect(id: string, signal: AbortSignal): Promise<Docker.ContainerInspectInfo | undefined> {
    return await orUndefined(
      this.call(
        "look at the container",
        signal,
        (docker, abortSignal) => docker.getContainer(id).inspect({ abortSignal }),
        this.#timeouts.ask,
      ),
    );
  }

  async #negotiated(signal: AbortSignal): Promise<{ docker: Docker; said: EngineVersion }> {
    if (this.#ready) return this.#ready;
    const said = await this.#guarded("tell its version", signal, this.#timeouts.ask, async (abortSignal) => {
      // `version` takes a signal like all others; the types forgot.
      const unversioned = new Docker(this.#options) as {
        version(options: { abortSignal: AbortSignal }): Promise<Docker.DockerVersion>;
      };
      const { Version, ApiVersion, MinAPIVersion } = await unversioned.version({ abortSignal });
      return { version: Version, api: negotiate(ApiVersion, MinAPIVersion, Version) };
    });
    this.#ready = { docker: new Docker({ ...this.#options, version: `v${said.api}` }), said };
    return this.#ready;
  }

  /** The library may never settle, when a connection breaks in the middle of an answer: so nobody waits for it alone. */
  async #guarded<T>(
    doing: string,
    signal: AbortSignal,
    timeoutMs: number,
    work: (stop: AbortSignal) => Promise<T>,
  ): Promise<T> {
    signal.throwIfAborted();
    const timeout = new AbortController();
    const stop = AbortSignal.any([signal, timeout.signal]);
    const timer = setTimeout(() => timeout.abort(), timeoutMs);
    let abandon = () => {};
    try {
      return await Promise.race([
        work(stop),
        new Promise<never>((_, reject) => {
          abandon = () => reject(stop.reason);
          stop.addEventListener("abort", abandon, { once: true });
        }),
      ]);
    } catch (thrown) {
      signal.throwIfAborted();
      if (timeout.signal.aborted) {
        this.#ready = undefined;
        const sentence = `the engine at ${this.host} did not ${doing} within ${timeoutMs / 1000} s`;
        throw new EngineFailure("unavailable", sentence, { retry: "later", cause: thrown });
      }
      const failed = translated(thrown, doing, this.host);
      if (failed instanceof EngineFailure && failed.status === undefined) this.#ready = undefined;
      throw failed;
    } finally {
      clearTimeout(timer);
      stop.removeEventListener("abort", abandon);
    }
  }
}

/** What is asked about and is not there is not a failure. */
async function orUndefined<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (thrown) {
    if (isNotFound(thrown)) return undefined;
    throw thrown;
  }
}

async function orUnchanged(asked: Promise<unknown>): Promise<void> {
  try {
    await asked;
  } catch (thrown) {
    if (!isUnchanged(thrown)) throw thrown;
  }
}

/** A few at a time: the engine answers no faster when all come at once. */
const batch = 8;

/** Does the same for every item, and returns the results in the order of the items. The first failure ends it. */
export async function inBatches<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let at = 0; at < items.length; at += batch) {
    results.push(...(await Promise.all(items.slice(at, at + batch).map(work))));
  }
  return results;
}

/** The engine puts eight bytes before each piece: which stream, and how long it is. */
export function withoutFrames(raw: Buffer): string {
  let text = "";
  for (let at = 0; at + 8 <= raw.length; ) {
    const length = raw.readUInt32BE(at + 4);
    text += raw.subarray(at + 8, at + 8 + length).toString();
    at += 8 + length;
  }
  return text;
}
