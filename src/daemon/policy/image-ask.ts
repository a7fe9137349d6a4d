import { create } from "@bufbuild/protobuf";
import { type ImageAsk, ImageAskSchema } from "../../../gen/edge/v1/policy_pb.ts";

/**
 * An image reference, taken apart as the engine does it: the first part is a registry when it has a dot or a port, or is
 * `localhost`, so that the colon of `registry:5000/image` begins no tag. What names a digest and no tag has no tag: the digest
 * is what runs.
 */
export function imageAskOf(reference: string): ImageAsk {
  const [named, digest] = split(reference, reference.indexOf("@"));
  const slash = named.indexOf("/");
  const first = slash === -1 ? "" : named.slice(0, slash);
  const isRegistry = /[.:]/.test(first) || first === "localhost" || first !== first.toLowerCase();
  const registry = isRegistry ? first.replace(/^index\.docker\.io$/, "docker.io") : "docker.io";
  const rest = isRegistry ? named.slice(slash + 1) : named;
  const [path, tag] = split(rest, rest.lastIndexOf(":"));
  const isOfficial = registry === "docker.io" && path !== "" && !path.includes("/");
  return create(ImageAskSchema, {
    ...{ reference, registry, digest },
    repository: isOfficial ? `library/${path}` : path,
    tag: tag === "" && digest === "" ? "latest" : tag,
  });
}

/** The text before and after a place; all of it when the place is -1. */
function split(text: string, at: number): [string, string] {
  return at === -1 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}
