import { readdir, readFile } from "node:fs/promises";
import { release, version } from "node:os";
import type { Runtime } from "../../../gen/edge/v1/runtimes_pb.ts";

/** The kernel and how it gives way to what is urgent. */
export async function lookAtPreemption(): Promise<{ release: string; preemption: string }> {
  const isRealTime = await readFile("/sys/kernel/realtime", "utf8").catch(() => "");
  return {
    release: release(),
    preemption: isRealTime.trim() === "1" ? "PREEMPT_RT" : preemptionIn(version()),
  };
}

/** The preemption model that a kernel's version names. */
export function preemptionIn(kernelVersion: string): string {
  return /\bPREEMPT\w*/.exec(kernelVersion)?.[0] ?? "without preemption";
}

const cpus = "/sys/devices/system/cpu";

/** The governors of all CPUs, each once. */
export async function lookAtGovernors(): Promise<string[]> {
  const names = (await readdir(cpus)).filter((one) => /^cpu\d+$/.test(one));
  const read = (name: string) => readFile(`${cpus}/${name}/cpufreq/scaling_governor`, "utf8").catch(() => "");
  const found = await Promise.all(names.map(read));
  return [...new Set(found.map((one) => one.trim()).filter((one) => one !== ""))];
}

/** The CPUs that the scheduler leaves alone, and the runtimes that were put there. */
export async function lookAtIsolation(runtimes: readonly Pick<Runtime, "spec">[]) {
  const text = (await readFile(`${cpus}/isolated`, "utf8")).trim();
  const isolated = cpusIn(text);
  const pinned = runtimes.flatMap(({ spec }) => {
    const on = cpusIn(spec?.resources?.cpuset ?? "");
    return spec && on.some((cpu) => isolated.includes(cpu)) ? [spec.name] : [];
  });
  return { cpus: text, pinned };
}

/** The CPUs of a list as the kernel writes it: `0-1,3`. */
export function cpusIn(list: string): number[] {
  return list
    .split(",")
    .filter((part) => /^\d+(-\d+)?$/.test(part))
    .flatMap((part) => {
      const [first = 0, last = first] = part.split("-").map(Number);
      return Array.from({ length: Math.min(last - first, 4096) + 1 }, (_, index) => first + index);
    });
}
