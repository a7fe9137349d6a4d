import type Docker from "dockerode";
import { importImage } from "./import-image.ts";
import { type Layer, packLayer } from "./layer.ts";

/** Carries a digest of what an image was made from, so that the same is not made twice. */
const contentLabel = "orchestrator.sample.content";

export interface OwnImage {
  tag: string;
  /** Stands for all that the image is made from. */
  content: string;
  /** Instructions of a Dockerfile, as in `CMD [...]`. */
  changes: readonly string[];
  layer: () => Promise<Layer>;
}

export interface Making {
  /** Gets sentences for people. */
  onProgress?: (sentence: string) => void;
  signal?: AbortSignal | undefined;
}

/**
 * Makes sure that the engine has an image that is made from this machine's own programs; at once when it has the very same.
 * @returns whether it had to be made. @throws {Error} when the engine refuses.
 */
export async function makeOwnImage(
  docker: Docker,
  { tag, content, changes, layer }: OwnImage,
  { onProgress = () => {}, signal }: Making,
): Promise<{ tag: string; made: boolean }> {
  const same = await docker.listImages({
    filters: { reference: [tag], label: [`${contentLabel}=${content}`] },
    ...(signal && { abortSignal: signal }),
  });
  if (same.length > 0) {
    onProgress(`${tag} is up to date`);
    return { tag, made: false };
  }
  onProgress(`making ${tag} from this machine's programs`);
  const packed = packLayer(await layer());
  signal?.throwIfAborted();
  await importImage(docker, packed, {
    tag,
    changes: [...changes, `LABEL ${contentLabel}=${content}`],
    ...(signal && { signal }),
  });
  onProgress(`${tag} is ready`);
  return { tag, made: true };
}
