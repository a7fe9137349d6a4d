import type { Duplex } from "node:stream";
import { type Engine, isNotFound } from "../engine/index.ts";
import { Streams } from "./streams.ts";

/**
 * The output of a cell as the engine's log has it: for a cell of a former life of the daemon, or when the engine was away meanwhile.
 * It may differ from what the program wrote: the engine ends the last line, and of a log over its limits the oldest part is gone.
 */
export async function loggedOutput(
  engine: Engine,
  containerId: string,
  ioBytes: number,
  signal: AbortSignal,
): Promise<{ output: Uint8Array; dropped: number }> {
  try {
    const log: unknown = await engine.call("tell what a cell wrote", signal, async (docker) => {
      // With `follow` it is a stream, which ends at once for what has ended; without, the library holds all of it in memory.
      const options = { stdout: true, stderr: true, follow: true as const };
      return await docker.getContainer(containerId).logs(options);
    });
    const streams = new Streams(log as Duplex, { ioBytes }); // Nothing is written to it, so it need not take anything.
    await streams.ended;
    return { output: streams.output, dropped: streams.dropped };
  } catch (thrown) {
    if (!isNotFound(thrown)) throw thrown;
    return { output: new Uint8Array(), dropped: 0 };
  }
}
