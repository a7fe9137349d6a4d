import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type Docker from "dockerode";
import { importImage } from "./import-image.ts";
import { addBusybox, addFile, addProgram, emptyLayer, packLayer } from "./layer.ts";

/** The sample runtime's image, as `npm start` and the tests know it. */
export const sampleImage = "orchestrator/openplc-sample:4.0";

const program = new URL("../dist/openplc-sample.js", import.meta.url);
/** Carries a digest of what the image was made from, so that the same is not made twice. */
const contentLabel = "orchestrator.sample.content";

/**
 * Makes sure that the engine has the sample runtime's image, without any registry: this machine's Node, its libraries, a
 * busybox if there is one, and the built sample. About a second; at once when the engine has the very same. `onProgress`
 * gets sentences for people.
 * @returns whether it had to be made. @throws {Error} when the sample is not built (`npm run build`), or the engine refuses.
 */
export async function buildSampleImage(
  docker: Docker,
  {
    tag = sampleImage,
    onProgress = () => {},
    signal,
  }: { tag?: string; onProgress?: (sentence: string) => void; signal?: AbortSignal } = {},
): Promise<{ tag: string; made: boolean }> {
  const code = await readFile(program).catch((cause: unknown) => {
    throw new Error("the sample runtime is not built: run `npm run build` first", { cause });
  });
  const recipe = [process.version, process.arch, changesFor("")].join();
  const content = createHash("sha256").update(code).update(recipe).digest("hex");
  const same = await docker.listImages({
    filters: { reference: [tag], label: [`${contentLabel}=${content}`] },
    ...(signal && { abortSignal: signal }),
  });
  if (same.length > 0) {
    onProgress(`${tag} is up to date`);
    return { tag, made: false };
  }

  onProgress(`making ${tag} from this machine's Node ${process.version}`);
  const layer = emptyLayer();
  await addProgram(layer, "/usr/bin/node", process.execPath);
  await addBusybox(layer).catch(() => onProgress("no static busybox here, so the image has no shell"));
  addFile(layer, "/app/openplc-sample.js", code);
  // Without this, Node would take the file for CommonJS first.
  addFile(layer, "/app/package.json", Buffer.from('{"type":"module"}'));
  signal?.throwIfAborted();
  await importImage(docker, packLayer(layer), {
    tag,
    changes: changesFor(content),
    ...(signal && { signal }),
  });
  onProgress(`${tag} is ready`);
  return { tag, made: true };
}

/** The stop signal cannot be said in an import; the default, SIGTERM, is what the sample obeys. */
function changesFor(content: string): string[] {
  return [
    "ENV PATH=/usr/bin:/bin",
    'CMD ["node", "/app/openplc-sample.js"]',
    "WORKDIR /app",
    "EXPOSE 8443",
    'HEALTHCHECK --interval=30s --timeout=10s --start-period=10s --retries=3 CMD ["node", "/app/openplc-sample.js", "--health"]',
    `LABEL ${contentLabel}=${content}`,
  ];
}
