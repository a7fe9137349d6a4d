import type { Clock } from "../../base/clock.ts";
import { asFailure } from "../../base/failure.ts";
import { type Engine, isEngineAway, isNotFound } from "../engine/index.ts";

/** Between two tries to ask an engine that is away, in milliseconds. */
const againMs = 500;
/** The longest that one question for an end is open; then it is asked again: of an engine that dies meanwhile the library never tells. */
const waitMs = 15_000;

/** What the engine tells of a container that has ended. */
export interface ContainerEnd {
  /** Undefined when it is gone. */
  exitCode: number | undefined;
  outOfMemory: boolean;
}

/**
 * Waits until a container does not run; for as long as the signal lets it for an engine that is away.
 * @param isOrphan whether nobody can give it input any more, as after the death of an engine, which leaves its standard input open:
 * should it still wait for it, it is told so, and ends.
 * @param isTold whether the first process has told already if memory ran out: of a success the engine then has no more to say.
 */
export async function endedContainer(
  engine: Engine,
  containerId: string,
  { clock, isOrphan = false, isTold = false }: { clock: Clock; isOrphan?: boolean; isTold?: boolean },
  signal: AbortSignal,
): Promise<ContainerEnd> {
  for (;;) {
    try {
      if (isOrphan) await signalContainer(engine, containerId, "SIGTTIN", signal);
      const { StatusCode } = await engine.call(
        "wait for the end of a cell",
        signal,
        // The library's type is `any`.
        (docker, abortSignal): Promise<{ StatusCode: number }> =>
          docker.getContainer(containerId).wait({ abortSignal }),
        waitMs,
      );
      if (isTold && StatusCode === 0) return { exitCode: StatusCode, outOfMemory: false };
      const found = await engine.container(containerId, signal);
      return { exitCode: found?.exitCode, outOfMemory: found?.outOfMemory ?? false };
    } catch (thrown) {
      signal.throwIfAborted();
      if (isNotFound(thrown)) return { exitCode: undefined, outOfMemory: false };
      if (!isEngineAway(thrown)) throw thrown;
      await clock.sleep(againMs, signal);
    }
  }
}

/** Sends a signal to a container's first process; init.c says what it does then. @returns whether it ran. */
export async function signalContainer(
  engine: Engine,
  containerId: string,
  kill: "SIGTERM" | "SIGPWR" | "SIGTTIN",
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await engine.call("signal a cell", signal, (docker, abortSignal) =>
      docker.getContainer(containerId).kill({ signal: kill, abortSignal }),
    );
    return true;
  } catch (thrown) {
    if (isNotFound(thrown) || asFailure(thrown).kind === "conflict") return false; // It does not run.
    throw thrown;
  }
}

/** Kills and removes a container: a cell, or what holds a namespace. One that is gone, or on its way, is the same success. */
export async function removeContainer(
  engine: Engine,
  containerId: string,
  signal: AbortSignal,
): Promise<void> {
  const removed = engine.call("remove a container of a cell", signal, (docker, abortSignal) =>
    docker.getContainer(containerId).remove({ force: true, v: true, abortSignal }),
  );
  await removed.catch((thrown: unknown) => {
    const isOnItsWay = thrown instanceof Error && thrown.message.includes("already in progress");
    if (!isNotFound(thrown) && !isOnItsWay) throw thrown;
  });
}

/** The container in whose network namespace a cell is; undefined when it has one of its own, or is gone. */
export async function holderOf(
  engine: Engine,
  containerId: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const looked = engine.call("look at a cell", signal, (docker, abortSignal) =>
    docker.getContainer(containerId).inspect({ abortSignal }),
  );
  const found = await looked.catch((thrown: unknown) => {
    if (!isNotFound(thrown)) throw thrown;
  });
  return /^container:(.*)$/.exec(found?.HostConfig.NetworkMode ?? "")?.[1];
}
