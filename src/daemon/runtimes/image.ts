import { asFailure, failure } from "../../base/failure.ts";
import { fullReference } from "../engine/index.ts";
import { digestFor, pinned } from "../images/index.ts";
import type { Wish } from "../wishes/index.ts";
import type { Hands } from "./hands.ts";

/** What an image's tag meant when its runtime was created: this is what runs, whatever the tag means later. */
export type Resolved = Pick<Wish, "imageId" | "imageDigest">;

/** A reference of the very image that a runtime was created with; undefined when the engine no longer has it. */
export async function keptReference(
  { engine, waiting }: Pick<Hands, "engine" | "waiting">,
  { spec, imageId, imageDigest }: Pick<Wish, "spec"> & Resolved,
): Promise<string | undefined> {
  if (imageDigest !== "") {
    const byDigest = pinned(spec.image, imageDigest);
    if (await engine.image(byDigest, waiting)) return byDigest;
  }
  // The tag, for as long as it means the same: lists of the engine show it.
  const tag = fullReference(spec.image);
  if ((await engine.image(tag, waiting))?.id === imageId) return tag;
  return (await engine.image(imageId, waiting)) && imageId;
}

/** Whose image it is. */
type Imaged = Pick<Wish, "name" | "spec">;
type Having = Pick<Hands, "engine" | "images" | "waiting" | "progress">;

/** Sees to it that the engine has the image, and keeps what its tag means when this was not done before. */
export async function ensureImage(hands: Hands): Promise<void> {
  const { wish, store } = hands;
  if (wish.imageId === "") store.update(wish.name, await resolve(hands, wish, { isAsked: false }));
  else await keepHaving(hands, wish);
}

/**
 * What an image's reference means now. One that the engine has is used at once, unless the registry is to be asked; also then,
 * when that cannot be reached.
 */
export async function resolve(
  hands: Having,
  { name, spec }: Imaged,
  { isAsked }: { isAsked: boolean },
): Promise<Resolved> {
  const { engine, images, waiting } = hands;
  const { image } = spec;
  const reference = fullReference(image);
  const there = await engine.image(reference, waiting);
  if (!there || isAsked) {
    await images.pull(name, image, { ...hands, signal: waiting, isAsked }).catch((thrown: unknown) => {
      waiting.throwIfAborted();
      if (!there || asFailure(thrown).kind !== "unavailable") throw thrown;
    });
  }
  const found = there && !isAsked ? there : await engine.image(reference, waiting);
  if (!found) throw failure("conflict", `the image ${image} was removed from the engine while it was pulled`);
  images.used(name, found.id);
  return resolved(reference, found);
}

/** Sees to it that the engine has the very image that was meant before. */
export async function keepHaving(hands: Having, wish: Imaged & Resolved): Promise<Resolved> {
  const { imageId, imageDigest, spec, name } = wish;
  if ((await keptReference(hands, wish)) === undefined) {
    if (imageDigest === "") {
      const sentence = `the engine no longer has the image ${imageId} of ${name}, which came from no registry`;
      throw failure("not_found", `${sentence}: load it again, or delete the runtime and create it anew`);
    }
    const byDigest = pinned(spec.image, imageDigest).replace(/:[^/:@]*@/, "@");
    await hands.images.pull(name, byDigest, { ...hands, signal: hands.waiting });
  }
  return { imageId, imageDigest };
}

/** Keeps which image a container has that was made before this was kept. */
export async function keepImage(hands: Hands, imageId: string): Promise<void> {
  const { engine, wish, waiting, store } = hands;
  const found = (await engine.image(imageId, waiting)) ?? { id: imageId, repoDigests: [] };
  store.update(wish.name, resolved(fullReference(wish.spec.image), found));
}

function resolved(reference: string, found: { id: string; repoDigests: readonly string[] }): Resolved {
  return { imageId: found.id, imageDigest: digestFor(reference, found.repoDigests) };
}
