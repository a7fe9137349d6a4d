import { execFile } from "node:child_process";
import { access, constants, readFile, statfs } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { promisify } from "node:util";
import { problemOf } from "./answer.ts";
import { type LinkKind, type ProgramName, programs, type Room } from "./facts.ts";
import { withSystemPath } from "./network.ts";

const run = promisify(execFile);

/** Longer than a list of applets takes on a busy machine. */
const patienceMs = 3_000;

/** The programs that are not to be found in the folders of `PATH` and of root. */
export async function missingPrograms(env: NodeJS.ProcessEnv): Promise<ProgramName[]> {
  const folders = [...(env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"].filter((one) => one !== "");
  const { stdout } = await run("busybox", ["--list"], { timeout: patienceMs }).catch(() => ({ stdout: "" }));
  const applets = stdout.split("\n");
  const names = Object.keys(programs) as ProgramName[]; // Its keys are those of the constant.
  const missing = await Promise.all(
    names.map(async (name) => {
      const [program = "", applet] = name.split(" ");
      if (applet !== undefined) return !applets.includes(applet);
      const found = await Promise.allSettled(
        folders.map((one) => access(join(one, program), constants.X_OK)),
      );
      return found.every(({ status }) => status === "rejected");
    }),
  );
  return names.filter((_, index) => missing[index]);
}

/** Makes a link of each kind in a network namespace of its own, which ends with the script: the machine's own stays as it is. */
const tryLinks = `
try() { kind=$1; shift; if said=$("$@" 2>&1); then echo "$kind"; else echo "$kind $said"; fi; }
try veth ip link add d0 type veth peer name d1
try macvlan ip link add link d0 name m0 type macvlan mode bridge
try vlan ip link add link d0 name v0 type vlan id 7
try ipvlan ip link add link d1 name i0 type ipvlan mode l2
`;

/** For each kind of link what the kernel said against it, or undefined. @throws {Error} Only root may ask. */
export async function tryKernel(env: NodeJS.ProcessEnv, signal: AbortSignal) {
  const { stdout } = await run("unshare", ["--net", "sh", "-c", tryLinks], {
    signal,
    env: withSystemPath(env),
  });
  return linksOf(stdout);
}

function linksOf(output: string): Record<LinkKind, string | undefined> {
  const said = (kind: LinkKind) => {
    const line = output.split("\n").find((one) => one.split(" ")[0] === kind) ?? `${kind} it was not tried`;
    return line.slice(kind.length + 1) || undefined;
  };
  return { veth: said("veth"), macvlan: said("macvlan"), vlan: said("vlan"), ipvlan: said("ipvlan") };
}

/** How much room the file system of a folder has; of one that is not there yet, that of the nearest above it. */
export async function lookAtDisk(folder: string): Promise<Room> {
  for (let path = folder; ; path = dirname(path)) {
    try {
      const { bavail, blocks, bsize } = await statfs(path);
      return { path, freeBytes: bavail * bsize, totalBytes: blocks * bsize };
    } catch (thrown) {
      if (path === dirname(path)) throw new Error(`${folder}: ${problemOf(thrown)}`);
    }
  }
}

/** The hypervisor that this machine is a guest of: its product's name, empty when it has none; undefined on bare metal. */
export async function findHypervisor(): Promise<string | undefined> {
  const read = (path: string) => readFile(path, "utf8").catch(() => "");
  const [vendor, product, cpus] = await Promise.all([
    read("/sys/class/dmi/id/sys_vendor"),
    read("/sys/class/dmi/id/product_name"),
    read("/proc/cpuinfo"),
  ]);
  const name = `${vendor.trim()} ${product.trim()}`.trim();
  const isKnown = /vmware|virtualbox|innotek|qemu|kvm|xen|parallels|bhyve|proxmox|openstack|virtual machine/i;
  if (!/^flags\s*:.*\bhypervisor\b/m.test(cpus) && !isKnown.test(name)) return undefined;
  return name;
}
