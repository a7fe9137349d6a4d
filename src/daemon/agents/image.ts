import { failure } from "../../base/failure.ts";
import { type Engine, fullReference } from "../engine/index.ts";
import { digestFor, type Images, pinned } from "../images/index.ts";
import type { Ask } from "../work/index.ts";
import type { Deployed } from "./deployed.ts";

interface ImageTools {
  engine: Pick<Engine, "image">;
  images: Pick<Images, "pull" | "used">;
}

type Progress = Pick<Ask, "signal" | "progress">;

/** By this name an agent's images are kept: a runtime may be called the same. */
export function ownerOf(agent: string): string {
  return `agent/${agent}`;
}

/**
 * What an image's reference means now; it is pulled when the engine does not have it. A tag that the engine has is not asked for
 * anew: to have what the registry means by it now, name its digest or another tag.
 */
export async function resolveImage(
  { engine, images }: ImageTools,
  { name, image }: { name: string; image: string },
  { signal, progress }: Progress,
): Promise<Pick<Deployed, "imageId" | "imageDigest">> {
  const reference = fullReference(image);
  if (!(await engine.image(reference, signal))) {
    await images.pull(ownerOf(name), image, { signal, progress });
  }
  const found = await engine.image(reference, signal);
  if (!found) throw failure("conflict", `the image ${image} was removed from the engine while it was pulled`);
  images.used(ownerOf(name), found.id);
  return { imageId: found.id, imageDigest: digestFor(reference, found.repoDigests) };
}

/** Sees to it that the engine has the very image that was meant at a deploy. @throws {Failure} not_found: it came from no registry. */
export async function bringImage(
  { engine, images }: ImageTools,
  { name, spec, imageId, imageDigest }: Deployed,
  { signal, progress }: Progress,
): Promise<void> {
  if (await engine.image(imageId, signal)) return;
  if (imageDigest === "") {
    const sentence = `the engine no longer has the image ${imageId} of agent ${name}, which came from no registry`;
    throw failure("not_found", `${sentence}: load it again, or deploy the agent anew`);
  }
  const byDigest = pinned(spec.image, imageDigest).replace(/:[^/:@]*@/, "@"); // A registry takes one of both.
  await images.pull(ownerOf(name), byDigest, { signal, progress });
  if (await engine.image(imageId, signal)) return;
  throw failure("not_found", `the registry has another image ${imageId} of agent ${name}: deploy it anew`);
}
