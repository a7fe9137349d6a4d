import type Docker from "dockerode";
import { type Engine, EngineFailure, isNotFound } from "../engine/index.ts";
import type { PulledImage } from "./images-store.ts";

/** Which of the images that this daemon pulled may go: those that nobody uses, and has not used for so long. */
export function planCleanUp(
  pulled: readonly PulledImage[],
  { kept, now, keepUnusedMs }: { kept: ReadonlySet<string>; now: number; keepUnusedMs: number },
): PulledImage[] {
  return pulled.filter(({ imageId, usedAt }) => !kept.has(imageId) && now - usedAt >= keepUnusedMs);
}

/** Images of all containers of the engine, whoever made them. */
export async function imagesInUse(engine: Engine, signal: AbortSignal): Promise<Set<string>> {
  const containers = await engine.call("list containers", signal, (docker, abortSignal) =>
    docker.listContainers({ all: true, abortSignal }),
  );
  return new Set(containers.map(({ ImageID }) => ImageID));
}

/**
 * Removes an image that was pulled, under the name by which it was pulled. Other names of it are somebody else's, and keep it.
 * @returns `removed`; `gone` when it was not there, or belongs to others by now; `used` when the engine says that it is.
 */
export async function removeImage(
  engine: Engine,
  { imageId, reference }: PulledImage,
  signal: AbortSignal,
): Promise<"removed" | "gone" | "used"> {
  const named = await inspect(engine, reference, signal);
  let target = reference;
  if (named?.Id !== imageId) {
    // The name means another image by now. The old one can go when it has no other name.
    const old = await inspect(engine, imageId, signal);
    if (!old || (old.RepoTags ?? []).length > 0) return "gone";
    target = imageId;
  }
  try {
    await engine.call("remove the image", signal, (docker, abortSignal) => {
      const options = { force: false, abortSignal };
      return docker.getImage(target).remove(options);
    });
    return "removed";
  } catch (thrown) {
    if (isNotFound(thrown)) return "gone";
    if (thrown instanceof EngineFailure && thrown.status === 409) return "used";
    throw thrown;
  }
}

/** What the engine knows of an image; undefined when it has none of this name. */
export async function inspect(
  engine: Engine,
  reference: string,
  signal: AbortSignal,
): Promise<Docker.ImageInspectInfo | undefined> {
  try {
    return await engine.call("look at the image", signal, (docker) => docker.getImage(reference).inspect());
  } catch (thrown) {
    if (isNotFound(thrown)) return undefined;
    throw thrown;
  }
}
