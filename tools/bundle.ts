/**
 * Packs what is installed on a node into one file: `dist/orchestrator-agent-linux-<arch>.tar.gz`, with Node and its libraries,
 * the built programs, the installer and the systemd units. install.sh unpacks it; nothing else is fetched.
 */
import { createWriteStream } from "node:fs";
import { readdir, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { buildAll } from "./build.ts";
import { addBusybox, addFile, addProgram, emptyLayer, type Layer, packLayer } from "./layer.ts";

const root = new URL("..", import.meta.url).pathname;

/** What netmon calls, from this machine: programs of iproute2, nftables and util-linux. The rest are applets of busybox. */
const called = [
  "/usr/sbin/ip",
  "/usr/sbin/bridge",
  "/usr/sbin/nft",
  "/usr/bin/nsenter",
  "/usr/bin/unshare",
  "/usr/bin/setpriv",
];
const applets = ["sh", "env", "cat"];

async function addFolder(layer: Layer, to: string, from: string): Promise<void> {
  for (const entry of await readdir(from, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const source = join(entry.parentPath, entry.name);
    const mode = source.endsWith(".sh") ? 0o755 : 0o644;
    addFile(layer, join(to, source.slice(from.length)), await readFile(source), mode);
  }
}

async function rootfs(version: string): Promise<Layer> {
  const layer = emptyLayer();
  await addProgram(layer, "/usr/bin/node", process.execPath);
  for (const program of called) await addProgram(layer, program, program);
  await addBusybox(layer, applets);
  await addFolder(layer, "/opt/orchestrator/dist/parts", `${root}dist/parts`);
  addFile(layer, "/opt/orchestrator/dist/orchestrator.js", await readFile(`${root}dist/orchestrator.js`));
  addFile(
    layer,
    "/opt/orchestrator/bin/orchestrator.js",
    await readFile(`${root}bin/orchestrator.js`),
    0o755,
  );
  // The C library asks the name servers alone when nobody says that /etc/hosts counts too.
  addFile(layer, "/etc/nsswitch.conf", Buffer.from("hosts: files dns\n"));
  const about = { name: "orchestrator-agent", version, type: "module" };
  addFile(layer, "/opt/orchestrator/package.json", Buffer.from(JSON.stringify(about)));
  return layer;
}

/** The bundle's name on this machine. */
const fileName = `orchestrator-agent-linux-${process.arch}.tar.gz`;

/** Packs what `npm run build` made into the file `path`, whole or not at all. `level` is gzip's: 1 is quick, 9 is small. */
export async function packBundle(path: string, { level }: { level: number }): Promise<void> {
  const { version } = JSON.parse(await readFile(`${root}package.json`, "utf8")) as { version: string };
  const top = `/orchestrator-agent-${version}-linux-${process.arch}`;
  const bundle: Layer = new Map();
  for (const [path, entry] of await rootfs(version)) bundle.set(`${top}/rootfs${path}`, entry);
  await addFolder(bundle, `${top}/systemd`, `${root}install/systemd`);
  addFile(bundle, `${top}/install.sh`, await readFile(`${root}install/install.sh`), 0o755);
  addFile(bundle, `${top}/LICENSE`, await readFile(`${root}LICENSE`));
  addFile(bundle, `${top}/VERSION`, Buffer.from(`${version}\n`));
  addFile(bundle, `${top}/ARCH`, Buffer.from(`${process.arch}\n`));
  await pipeline(packLayer(bundle), createGzip({ level }), createWriteStream(`${path}.part`));
  await rename(`${path}.part`, path);
}

if (import.meta.main) {
  await buildAll();
  await packBundle(`${root}dist/${fileName}`, { level: 6 });
  process.stdout.write(`dist/${fileName}\n`);
}
