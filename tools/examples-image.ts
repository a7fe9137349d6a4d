import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import Docker from "dockerode";
import { addBusybox, addFile, addLibraries, addLink, addProgram, emptyLayer, type Layer } from "./layer.ts";
import { type Making, makeOwnImage } from "./own-image.ts";

const run = promisify(execFile);

/** The image of the agents in examples/, as their manifests name it. */
export const examplesImage = "orchestrator/examples:1";

const folder = new URL("../examples/", import.meta.url).pathname;
const changes = ["ENV PATH=/usr/bin:/bin"];

/** Says which files Python loads for the modules that the examples use. */
const loadedFiles = `
import base64, http.client, json, os, socket, struct, sys
files = [one.__file__ for one in list(sys.modules.values()) if getattr(one, "__file__", None)]
print(json.dumps([os.path.realpath(sys.executable), *files, os.__file__]))
`;

/**
 * Makes sure that the engine has the image of the examples, without any registry: this machine's Node and busybox, and its Python and
 * curl if it has them, with what they load, and the programs of examples/. About two seconds; at once when the engine has the very same.
 * @returns whether it had to be made. @throws {Error} when there is no busybox, or the engine refuses.
 */
export async function buildExamplesImage(
  docker: Docker,
  making: Making = {},
): Promise<{ tag: string; made: boolean }> {
  const programs = await examplePrograms();
  const hash = createHash("sha256").update([process.version, process.arch, changes].join());
  for (const [path, bytes] of programs) hash.update(`${path} ${bytes.length} `).update(bytes);
  const layer = async () => {
    const files = emptyLayer();
    await addBusybox(files);
    await addProgram(files, "/usr/bin/node", process.execPath);
    const without = (what: string) => () =>
      making.onProgress?.(`no ${what} here, so some examples do not run`);
    await addProgram(files, "/usr/bin/curl", "/usr/bin/curl").catch(without("curl"));
    await addPython(files).catch(without("python3"));
    for (const [path, bytes] of programs) addFile(files, join("/opt/examples", path), bytes);
    return files;
  };
  const content = hash.digest("hex");
  return await makeOwnImage(docker, { tag: examplesImage, content, changes, layer }, making);
}

/** What agents execute, by its path below examples/. */
async function examplePrograms(): Promise<Map<string, Buffer>> {
  const all = await readdir(folder, { recursive: true });
  const paths = all.filter((path) => /\.(mjs|py|sh)$/.test(path)).toSorted();
  return new Map(
    await Promise.all(paths.map(async (path) => [path, await readFile(join(folder, path))] as const)),
  );
}

/** Adds Python where it is here, with as much of its library as the examples load: the whole would be 50 MB. */
async function addPython(layer: Layer): Promise<void> {
  const { stdout } = await run("python3", ["-I", "-c", loadedFiles]);
  const [executable = "", ...modules] = JSON.parse(stdout) as string[];
  await addProgram(layer, executable, executable);
  addLink(layer, "/usr/bin/python3", executable);
  for (const path of modules) {
    addFile(layer, path, await readFile(path));
    if (path.endsWith(".so")) await addLibraries(layer, path);
  }
}

if (import.meta.main) await buildExamplesImage(new Docker(), { onProgress: console.log });
