import { execFile } from "node:child_process";
import { access, constants, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Flash } from "./facts.ts";
import { type Process, processes } from "./processes.ts";

const run = promisify(execFile);

/** Programs that open every new serial port, to see whether it is theirs. */
const serialGrabbers = ["ModemManager", "brltty", "gpsd"];

/** The serial ports with a lasting name, and who takes them. `dev` is /dev. */
export async function lookAtSerial(dev = "/dev", all?: readonly Process[]) {
  const folder = join(dev, "serial/by-id");
  const names = await readdir(folder).catch(() => []);
  const ports = await Promise.all(
    names.map(async (name) => {
      const path = join(folder, name);
      const opened = access(path, constants.R_OK | constants.W_OK);
      return { path, isUsable: await opened.then(() => true).catch(() => false) };
    }),
  );
  const running = (all ?? (await processes())).map(({ name }) => name);
  return { ports, grabbers: serialGrabbers.filter((one) => running.includes(one)) };
}

/** What eMMC and SD cards tell of their wear. `block` is /sys/block. */
export async function lookAtFlash(block = "/sys/block"): Promise<Flash[]> {
  const names = (await readdir(block)).filter((one) => /^mmcblk\d+$/.test(one));
  return await Promise.all(
    names.map(async (name) => {
      const read = (file: string) => readFile(join(block, name, "device", file), "utf8").catch(() => "");
      const [kind, lifeTime, preEndOfLife] = await Promise.all(
        ["type", "life_time", "pre_eol_info"].map(read),
      );
      const tenths = (lifeTime ?? "").split(/\s+/).filter(Boolean).map(Number);
      const end = preEndOfLife?.trim();
      return {
        name,
        kind: kind?.trim() === "MMC" ? "eMMC" : "SD card",
        lifeTime: tenths.length === 0 ? undefined : Math.max(...tenths),
        preEndOfLife: end ? Number(end) : undefined,
      };
    }),
  );
}

/** How much the logs of the machine take. */
export async function lookAtLogs(path: string, signal: AbortSignal) {
  // It fails for a file that goes away meanwhile, and has its sum all the same.
  const { stdout } = await run("du", ["-sxk", path], { signal }).catch((thrown: unknown) => {
    if (thrown instanceof Error && "stdout" in thrown && thrown.stdout)
      return { stdout: String(thrown.stdout) };
    throw thrown;
  });
  return { path, bytes: Number.parseInt(stdout, 10) * 1024 };
}

/** The services that keep a clock right, by the kernel's name of their process. */
const timeServices: Readonly<Record<string, string>> = {
  chronyd: "chrony",
  "systemd-timesyn": "systemd-timesyncd",
  ntpd: "ntpd",
  openntpd: "openntpd",
  ptp4l: "ptp4l",
};

/** Whether the kernel knows its clock to be right, and who sees to that. Nobody in the network is asked. */
export async function lookAtTimeSync(signal: AbortSignal) {
  const [{ stdout }, all] = await Promise.all([run("busybox", ["adjtimex"], { signal }), processes()]);
  if (!/^\s*status:/m.test(stdout)) throw new Error("busybox adjtimex does not tell");
  const services = all.flatMap(({ name }) => timeServices[name] ?? []);
  return { isSynchronized: !/^\s*status:.*UNSYNC/m.test(stdout), services: [...new Set(services)] };
}

/** What programs could still have of the memory. */
export async function lookAtMemory() {
  const text = await readFile("/proc/meminfo", "utf8");
  const bytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0) * 1024;
  return { availableBytes: bytes("MemAvailable"), totalBytes: bytes("MemTotal") };
}
