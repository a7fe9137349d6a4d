import type { Readable } from "node:stream";
import type Docker from "dockerode";

/**
 * Makes an image of one layer and tags it `tag` ("name:version"); `changes` are Dockerfile instructions such as `CMD [...]`.
 * @throws {Error} with the engine's own words when it refuses, at once or half way.
 */
export async function importImage(
  docker: Docker,
  layer: Readable,
  { tag, changes, signal }: { tag: string; changes: string[]; signal?: AbortSignal },
): Promise<void> {
  const colon = tag.lastIndexOf(":");
  const options = {
    repo: tag.slice(0, colon),
    tag: tag.slice(colon + 1),
    changes,
    ...(signal && { abortSignal: signal }),
  };
  const answer = await docker.importImage(layer, options);
  let text = "";
  for await (const chunk of answer) text += String(chunk);
  // A failure half way comes as a line of an answer that began with "200 OK".
  for (const line of text.split("\n")) {
    const { error } = (line.trim() === "" ? {} : JSON.parse(line)) as { error?: string };
    if (error !== undefined) throw new Error(`the engine did not take image ${tag}: ${error}`);
  }
}
