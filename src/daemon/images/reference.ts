import { fullReference } from "../engine/index.ts";

/** The name of an image without tag and digest, as engines shorten it in their lists. */
function nameOf(reference: string): string {
  const bare = reference.replace(/@.*$/, "").replace(/:[^/:]*$/, "");
  return bare.replace(/^(?:index\.)?docker\.io\//, "").replace(/^library\//, "");
}

/** The digest under which a registry has an image, out of what the engine says of it; empty when it came from none. */
export function digestFor(reference: string, repoDigests: readonly string[]): string {
  const name = nameOf(reference);
  const said = repoDigests.filter((one) => nameOf(one) === name).map((one) => one.replace(/^.*@/, ""));
  const asked = /@(.*)$/.exec(reference)?.[1];
  return asked !== undefined && said.includes(asked) ? asked : (said[0] ?? "");
}

/** The reference by which an image is found by its digest; the tag stays in it for people, and means nothing. */
export function pinned(image: string, digest: string): string {
  return `${fullReference(image).replace(/@.*$/, "")}@${digest}`;
}
