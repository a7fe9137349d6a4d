import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { label } from "../../wire/labels.ts";
import { type Engine, isNotFound } from "../engine/index.ts";
import { firstProcess } from "./first-process.ts";

/** Without a tag it is that of every daemon, whatever version of it. */
const repository = "orchestrator-agent/holder";

/**
 * The image of holders: one program of 3 kB that waits for ever. Made by this program and given to the engine once, so that
 * nothing is pulled for it; its tag is its content's.
 */
export async function holderImage(engine: Engine, signal: AbortSignal): Promise<string> {
  const layer = tarOf("init", firstProcess());
  const tag = createHash("sha256").update(layer).digest("hex").slice(0, 12);
  const reference = `${repository}:${tag}`;
  if (await engine.image(reference, signal)) return reference;
  const changes = ['ENTRYPOINT ["/init"]', `LABEL ${label.holder}=yes`];
  await engine.call("take the image of holders", signal, async (docker, abortSignal) => {
    const options = { repo: repository, tag, changes, abortSignal };
    for await (const _ of await docker.importImage(Readable.from([layer]), options)); // Until it has all of it.
  });
  return reference;
}

/** Removes the images of holders that nobody uses. */
export async function removeHolderImages(engine: Engine, signal: AbortSignal): Promise<void> {
  const filters = { label: [label.holder] };
  const images = await engine.call("list images", signal, (docker) => docker.listImages({ filters }));
  for (const { Id } of images) {
    const removed = engine.call("remove an image", signal, (docker) => docker.getImage(Id).remove());
    await removed.catch((thrown: unknown) => {
      // Another daemon on this engine uses it.
      if (!isNotFound(thrown) && !(thrown instanceof Error && /in use|being used/.test(thrown.message)))
        throw thrown;
    });
  }
}

/** A tar of one program that everybody may run: ustar's head of 512 bytes, then its content. */
function tarOf(name: string, content: Buffer): Buffer {
  const head = Buffer.alloc(512);
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, "0")}\0`;
  const fields = [
    ...([
      [name, 0],
      [octal(0o755, 7), 100],
      [octal(0, 7), 108],
      [octal(0, 7), 116],
    ] as const),
    ...([
      [octal(content.length, 11), 124],
      [octal(0, 11), 136],
      [" ".repeat(8), 148],
    ] as const),
    ...([
      ["0", 156],
      ["ustar\0", 257],
      ["00", 263],
    ] as const),
  ] as const;
  for (const [text, at] of fields) head.write(text, at, "latin1");
  const sum = head.reduce((all, byte) => all + byte, 0);
  head.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  const end = Buffer.alloc(512 - (content.length % 512 || 512) + 1024);
  return Buffer.concat([head, content, end]);
}
