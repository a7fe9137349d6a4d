/**
 * A container image's only layer, made from files of this machine: programs with the libraries they load. It needs no
 * registry and no build, and the same content gives the same bytes.
 */
import { execFile } from "node:child_process";
import { readFile, realpath } from "node:fs/promises";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import { pack } from "tar-stream";

const run = promisify(execFile);

type Entry =
  | { kind: "directory"; mode: number }
  | { kind: "link"; target: string }
  | { kind: "file"; mode: number; content: Buffer };

/** The layer so far, by absolute path in the image. Folders on the way to a file are made when it is packed. */
export type Layer = Map<string, Entry>;

/** A layer with the folders that an engine mounts into, and one user: root. */
export function emptyLayer(): Layer {
  const layer: Layer = new Map();
  for (const path of ["/dev", "/etc", "/proc", "/root", "/run", "/sys", "/var"]) addDirectory(layer, path);
  addDirectory(layer, "/tmp", 0o1777);
  addFile(layer, "/etc/passwd", Buffer.from("root:x:0:0:root:/root:/bin/sh\n"));
  addFile(layer, "/etc/group", Buffer.from("root:x:0:\n"));
  return layer;
}

export function addDirectory(layer: Layer, path: string, mode = 0o755): void {
  layer.set(path, { kind: "directory", mode });
}

export function addFile(layer: Layer, path: string, content: Buffer, mode = 0o644): void {
  layer.set(path, { kind: "file", mode, content });
}

export function addLink(layer: Layer, path: string, target: string): void {
  layer.set(path, { kind: "link", target });
}

/** Adds a program of this machine at `path`, and every shared library it loads where its loader looks for them. */
export async function addProgram(layer: Layer, path: string, source: string): Promise<void> {
  addFile(layer, path, await readFile(await realpath(source)), 0o755);
  await addLibraries(layer, source);
}

/** Adds every shared library that a program or a library of this machine loads. */
export async function addLibraries(layer: Layer, source: string): Promise<void> {
  for (const library of await librariesOf(source)) addFile(layer, library, await readFile(library), 0o755);
}

/** Adds busybox under `/bin`, with all its applets or some. @throws {Error} when this machine has no static busybox. */
export async function addBusybox(layer: Layer, some?: readonly string[]): Promise<void> {
  const source = "/bin/busybox";
  const { stdout } = await run(source, ["--list"]).catch((cause: unknown) => {
    throw new Error(`${source} does not run: install the Debian package busybox-static`, { cause });
  });
  await addProgram(layer, "/bin/busybox", source);
  for (const applet of some ?? stdout.split("\n")) {
    if (applet !== "" && applet !== "busybox") addLink(layer, `/bin/${applet}`, "busybox");
  }
}

/** The layer as a tar stream: sorted, owned by root, dated 1970. An entry that cannot be packed destroys the stream. */
export function packLayer(layer: Layer): Readable {
  const tar = pack();
  const entries = [...withParents(layer)].sort(([one], [other]) => (one < other ? -1 : 1));
  const packed = async () => {
    for (const [path, entry] of entries) await packEntry(tar, path, entry);
    tar.finalize();
  };
  packed().catch((cause: unknown) => tar.destroy(cause as Error)); // only packEntry throws, and it throws errors
  return Readable.from(tar);
}

function packEntry(tar: ReturnType<typeof pack>, path: string, entry: Entry): Promise<void> {
  const header = { name: path.slice(1), mtime: new Date(0), uid: 0, gid: 0 };
  return new Promise((resolve, reject) => {
    const done = (error?: Error | null) => (error ? reject(error) : resolve());
    if (entry.kind === "directory") tar.entry({ ...header, type: "directory", mode: entry.mode }, done);
    else if (entry.kind === "link") tar.entry({ ...header, type: "symlink", linkname: entry.target }, done);
    else tar.entry({ ...header, type: "file", mode: entry.mode }, entry.content, done);
  });
}

function withParents(layer: Layer): Layer {
  const complete: Layer = new Map(layer);
  for (const path of layer.keys()) {
    for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1)) {
      const parent = path.slice(0, at);
      if (!complete.has(parent)) addDirectory(complete, parent);
    }
  }
  return complete;
}

/** What `ldd` names with a path; nothing for a static program, for which it fails. */
async function librariesOf(program: string): Promise<string[]> {
  const { stdout } = await run("ldd", [program]).catch(() => ({ stdout: "" }));
  return stdout.split("\n").flatMap((line) => line.match(/(?:=> |^\s*)(\/\S+) \(0x/)?.[1] ?? []);
}
