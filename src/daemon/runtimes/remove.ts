import { type Engine, EngineFailure, isNotFound } from "../engine/index.ts";
import type { Removal } from "./step.ts";

/** What a removal needs besides itself. */
export interface RemovingHands {
  engine: Engine;
  /** Ends everything, when the program stops. */
  signal: AbortSignal;
  progress: (phase: string, doneBytes?: number, totalBytes?: number, detail?: string) => void;
}

type Removes<D extends Removal["do"]> = (
  hands: RemovingHands,
  step: Extract<Removal, { do: D }>,
) => Promise<void>;

/** How each removal is done. What is gone already is the same success. */
export const remove: { [D in Removal["do"]]: Removes<D> } = {
  async removeContainer({ engine, signal, progress }, { container }) {
    progress("removing");
    await gone("remove the container", engine, signal, (docker, abortSignal) =>
      docker.getContainer(container).remove({ force: true, v: true, abortSignal }),
    );
  },

  async removeNetwork({ engine, signal }, { network }) {
    await gone("remove the network", engine, signal, async (docker, abortSignal) => {
      const { Containers } = await docker.getNetwork(network).inspect();
      // Somebody's own container in our network, perhaps to look into it: it loses the network and nothing else.
      for (const Container of Object.keys(Containers ?? {})) {
        await docker.getNetwork(network).disconnect({ Container, Force: true, abortSignal });
      }
      await docker.getNetwork(network).remove({ abortSignal });
    });
  },

  async removeVolume({ engine, signal }, { volume }) {
    await gone("remove the volume", engine, signal, (docker, abortSignal) =>
      docker.getVolume(volume).remove({ abortSignal }),
    );
  },
};

async function gone(
  doing: string,
  engine: Engine,
  signal: AbortSignal,
  work: Parameters<Engine["call"]>[2],
): Promise<void> {
  try {
    await engine.call(doing, signal, work);
  } catch (thrown) {
    const isUnderWay = thrown instanceof EngineFailure && /already in progress/.test(thrown.message);
    if (!isNotFound(thrown) && !isUnderWay) throw thrown;
  }
}
