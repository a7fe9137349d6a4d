import { formatBytes, formatDuration } from "../../base/quantity.ts";
import type { Facts } from "./facts.ts";
import { type Check, fail, ok, unknown, type Verdict, warn } from "./finding.ts";
import { judgeFlash } from "./judge-flash.ts";

/** The machine below runtimes. */
export const machineChecks: Check[] = [
  { id: "clock", why: "certificates, leases and the order of events go by it", judge: judgeClock },
  {
    id: "time sync",
    why: "a clock that nobody corrects goes wrong by seconds a day",
    judge: judgeTimeSync,
  },
  { id: "memory", why: "when there is none left, the kernel ends programs", judge: judgeMemory },
  { id: "disk", why: "commands are refused when nothing can be written down", judge: judgeDisk },
  { id: "storage wear", why: "worn-out flash becomes read-only, or forgets", judge: judgeFlash },
  {
    id: "log volume",
    why: "logs without a limit fill the disk, and wear flash out",
    judge({ logs }) {
      if (logs.is === "unknown") return unknown(logs.problem);
      const { path, bytes } = logs.value;
      const says = `${formatBytes(bytes)} in ${path}`;
      const next = "journalctl --vacuum-size=200M, SystemMaxUse= in journald.conf, logrotate for the rest";
      return bytes >= manyLogBytes ? warn(says, next) : ok(says);
    },
  },
  { id: "serial ports", why: "field buses are reached through them", judge: judgeSerial },
  { id: "rights", why: "engine and netmon need them of root", judge: judgeCapabilities },
];

const manyLogBytes = 2 ** 31;

/** What may be wrong with a clock before it is said, in milliseconds. */
const clockLimits = { warnMs: 2_000, failMs: 300_000 };
/** No machine runs this program before it was written. */
const oldestMs = Date.UTC(2026, 0, 1);

function judgeClock({ nowMs, hubOffsetMs }: Facts): Verdict {
  const now = `${new Date(nowMs).toISOString().slice(0, 19)}Z`;
  const next = "set it, and keep it right with NTP (systemd-timesyncd, chrony)";
  if (nowMs < oldestMs) return fail(`it is ${now} here, which cannot be`, next);
  if (hubOffsetMs === undefined) return ok(`${now}; there is no hub to compare it with`);
  const off = Math.abs(hubOffsetMs);
  const says = `${formatDuration(off)} ${hubOffsetMs > 0 ? "behind" : "ahead of"} the hub's`;
  if (off >= clockLimits.failMs) return fail(says, next);
  return off >= clockLimits.warnMs ? warn(says, next) : ok(says);
}

function judgeTimeSync({ timeSync }: Facts): Verdict {
  if (timeSync.is === "unknown") return unknown(timeSync.problem, "timedatectl, or chronyc tracking, know");
  const { isSynchronized, services } = timeSync.value;
  const who = services.join(", ");
  if (isSynchronized) return ok(`the kernel's clock is kept right${who && ` by ${who}`}`);
  if (who === "") {
    const next = "apt-get install chrony, unless a hypervisor keeps it right";
    return warn("the kernel's clock is kept right by nobody", next);
  }
  return warn(`${who} runs, and has no time yet`, "check that it reaches its servers: chronyc sources");
}

const memoryLimits = { warnShare: 0.1, failBytes: 64 << 20 };

function judgeMemory({ memory }: Facts): Verdict {
  if (memory.is === "unknown") return unknown(memory.problem);
  const { availableBytes, totalBytes } = memory.value;
  const says = `${formatBytes(availableBytes)} of ${formatBytes(totalBytes)} are available`;
  const next = "orchestrator runtime stats shows who takes it; limit runtimes with --memory";
  if (availableBytes < memoryLimits.failBytes) return fail(says, next);
  return availableBytes < totalBytes * memoryLimits.warnShare ? warn(says, next) : ok(says);
}

const diskLimits = { warnBytes: 1 << 30, failBytes: 100 << 20 };

function judgeDisk({ disk }: Facts): Verdict {
  if (disk.is === "unknown") return unknown(disk.problem, "look at the file system by hand");
  const { path, freeBytes, totalBytes } = disk.value;
  const says = `${formatBytes(freeBytes)} of ${formatBytes(totalBytes)} are free at ${path}`;
  const next = "free some: du -x / | sort -n shows what takes it";
  if (freeBytes < diskLimits.failBytes) return fail(says, next);
  return freeBytes < diskLimits.warnBytes ? warn(says, next) : ok(says);
}

function judgeSerial({ serial }: Facts): Verdict {
  if (serial.is === "unknown") return unknown(serial.problem);
  const { ports, grabbers } = serial.value;
  if (ports.length === 0) return ok("there is none");
  const closed = ports.filter(({ isUsable }) => !isUsable).map(({ path }) => path);
  if (closed.length > 0) {
    const next = "a udev rule with GROUP=dialout and MODE=0660, or plug it in again";
    return warn(`not to be opened: ${closed.join(", ")}`, next);
  }
  const says = ports.map(({ path }) => path).join(", ");
  if (grabbers.length === 0) return ok(says);
  const next = "remove it, or keep it off with ENV{ID_MM_DEVICE_IGNORE}=1 in a udev rule";
  return warn(`${says}; ${grabbers.join(", ")} opens new ports and writes to them`, next);
}

function judgeCapabilities({ missingCapabilities }: Facts): Verdict {
  if (missingCapabilities.is === "unknown") return unknown(missingCapabilities.problem);
  const missing = missingCapabilities.value;
  if (missing.length === 0) return ok("root has all that engine and netmon need");
  const says = `no program here can have ${missing.join(", ")}`;
  if (missing.every((one) => one === "SYS_RESOURCE")) {
    const next = "runtimes run, without rtprio and memlock; raise the limits of the engine's own unit";
    return warn(says, next);
  }
  return fail(says, "this machine is itself a container or a jail: give it these capabilities");
}
