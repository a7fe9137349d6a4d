import { type Facts, type LinkKind, linkKinds, programs } from "./doctor-facts.ts";
import { type Finding, fail, ok, warn } from "./doctor-finding.ts";
import { judgeSurroundings } from "./doctor-parent.ts";
import { formatBytes, formatDuration } from "./quantity.ts";

/** Judges a machine by what is known of it. */
export function judge(facts: Facts): Finding[] {
  return [
    judgeEngine(facts),
    judgeDaemon(facts),
    judgeNetmon(facts),
    judgePrograms(facts),
    ...judgeLinks(facts),
    judgeClock(facts),
    judgeDisk(facts),
    judgeCapabilities(facts),
    ...judgeSurroundings(facts),
  ];
}

function judgeEngine({ engine }: Facts): Finding {
  if (engine.is === "unknown") {
    return fail("engine", engine.problem, "start the engine, or name it with DOCKER_HOST or docker.host");
  }
  const { version, host } = engine.value;
  return ok("engine", `version ${version} answers at ${host}`);
}

function judgeDaemon({ daemon }: Facts): Finding {
  if (daemon.is === "unknown") return fail("daemon", daemon.problem, "its log says why it ended");
  const { daemonVersion, connected, hubAddress } = daemon.value;
  const says = `version ${daemonVersion} answers`;
  if (connected) return ok("daemon", `${says}, connected to the hub at ${hubAddress}`);
  if (hubAddress === "") return ok("daemon", `${says}; this node has no hub`);
  const next = "orchestrator daemon status, and the daemon's log, say why";
  return warn("daemon", `${says}, not connected to the hub at ${hubAddress}`, next);
}

function judgeNetmon({ netmon }: Facts): Finding {
  if (netmon.is === "unknown") {
    return fail("netmon", netmon.problem, "without it, runtimes run and have no vNICs");
  }
  const { where, parents } = netmon.value;
  const seen = parents.map(({ name }) => name).join(", ") || "no interface";
  return ok("netmon", `answers at ${where}, and sees ${seen}`);
}

function judgePrograms({ missingPrograms }: Facts): Finding {
  if (missingPrograms.length === 0) return ok("programs", `${Object.keys(programs).join(", ")} are there`);
  const packages = [...new Set(missingPrograms.map((one) => programs[one]))].join(" ");
  const says = `not found here: ${missingPrograms.join(", ")}`;
  return warn(
    "programs",
    says,
    `unless netmon runs from its image, which has them: apt-get install ${packages}`,
  );
}

/** What cannot be done without a kind of link. */
const needed: Readonly<Record<LinkKind, { level: "warn" | "fail"; without: string }>> = {
  veth: { level: "fail", without: "no container has a network without it" },
  macvlan: { level: "fail", without: "no vNIC on a wired parent without it" },
  vlan: { level: "warn", without: "only vNICs with vlan= need it" },
  ipvlan: { level: "warn", without: "only vNICs with mode=ipvlan need it" },
};

function judgeLinks({ links }: Facts): Finding[] {
  if (links.is === "unknown") {
    return [warn("kernel", `its links could not be tried: ${links.problem}`, "run the doctor as root")];
  }
  return linkKinds.map((kind) => {
    const problem = links.value[kind];
    if (problem === undefined) return ok(`kernel ${kind}`, "can be made");
    const { level, without } = needed[kind];
    const next = `load or build the module ${kind === "vlan" ? "8021q" : kind}; ${without}`;
    return { check: `kernel ${kind}`, level, says: `cannot be made: ${problem}`, next };
  });
}

/** What may be wrong with a clock before it is said, in milliseconds. */
const clockLimits = { warnMs: 2_000, failMs: 300_000 };
/** No machine runs this program before it was written. */
const oldestMs = Date.UTC(2026, 0, 1);

function judgeClock({ nowMs, hubOffsetMs }: Facts): Finding {
  const now = `${new Date(nowMs).toISOString().slice(0, 19)}Z`;
  const next = "set it, and keep it right with NTP (systemd-timesyncd, chrony)";
  if (nowMs < oldestMs) return fail("clock", `it is ${now} here, which cannot be`, next);
  if (hubOffsetMs === undefined) return ok("clock", `${now}; there is no hub to compare it with`);
  const off = Math.abs(hubOffsetMs);
  const says = `${formatDuration(off)} ${hubOffsetMs > 0 ? "behind" : "ahead of"} the hub's`;
  if (off >= clockLimits.failMs) return fail("clock", says, next);
  return off >= clockLimits.warnMs ? warn("clock", says, next) : ok("clock", says);
}

const diskLimits = { warnBytes: 1 << 30, failBytes: 100 << 20 };

function judgeDisk({ disk }: Facts): Finding {
  if (disk.is === "unknown") return warn("disk", disk.problem, "look at the file system by hand");
  const { path, freeBytes, totalBytes } = disk.value;
  const says = `${formatBytes(freeBytes)} of ${formatBytes(totalBytes)} are free at ${path}`;
  const next = "free some: commands are refused when nothing can be written down";
  if (freeBytes < diskLimits.failBytes) return fail("disk", says, next);
  return freeBytes < diskLimits.warnBytes ? warn("disk", says, next) : ok("disk", says);
}

function judgeCapabilities({ missingCapabilities }: Facts): Finding {
  if (missingCapabilities.length === 0) return ok("rights", "root has all that engine and netmon need");
  const says = `no program here can have ${missingCapabilities.join(", ")}`;
  const isLimitsOnly = missingCapabilities.every((one) => one === "SYS_RESOURCE");
  return isLimitsOnly
    ? warn(
        "rights",
        says,
        "runtimes run, without rtprio and memlock; raise the limits of the engine's own unit",
      )
    : fail("rights", says, "this machine is itself a container or a jail: give it these capabilities");
}
