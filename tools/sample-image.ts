import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type Docker from "dockerode";
import { addBusybox, addFile, addProgram, emptyLayer } from "./layer.ts";
import { type Making, makeOwnImage } from "./own-image.ts";

/** The sample runtime's image, as `npm start` and the tests know it. */
export const sampleImage = "orchestrator/openplc-sample:4.0";

const program = new URL("../dist/openplc-sample.js", import.meta.url);

/** The stop signal cannot be said in an import; the default, SIGTERM, is what the sample obeys. */
const changes = [
  "ENV PATH=/usr/bin:/bin",
  'CMD ["node", "/app/openplc-sample.js"]',
  "WORKDIR /app",
  "EXPOSE 8443",
  'HEALTHCHECK --interval=30s --timeout=10s --start-period=10s --retries=3 CMD ["node", "/app/openplc-sample.js", "--health"]',
];

/**
 * Makes sure that the engine has the sample runtime's image, without any registry: this machine's Node, its libraries, a
 * busybox if there is one, and the built sample. About a second; at once when the engine has the very same.
 * @returns whether it had to be made. @throws {Error} when the sample is not built (`npm run build`), or the engine refuses.
 */
export async function buildSampleImage(
  docker: Docker,
  { tag = sampleImage, onProgress = () => {}, signal }: Making & { tag?: string } = {},
): Promise<{ tag: string; made: boolean }> {
  const code = await readFile(program).catch((cause: unknown) => {
    throw new Error("the sample runtime is not built: run `npm run build` first", { cause });
  });
  const recipe = [process.version, process.arch, changes].join();
  const layer = async () => {
    const files = emptyLayer();
    await addProgram(files, "/usr/bin/node", process.execPath);
    await addBusybox(files).catch(() => onProgress("no static busybox here, so the image has no shell"));
    addFile(files, "/app/openplc-sample.js", code);
    // Without this, Node would take the file for CommonJS first.
    addFile(files, "/app/package.json", Buffer.from('{"type":"module"}'));
    return files;
  };
  const content = createHash("sha256").update(code).update(recipe).digest("hex");
  return await makeOwnImage(docker, { tag, content, changes, layer }, { onProgress, signal });
}
