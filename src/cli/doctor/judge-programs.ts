import { formatDuration } from "../../base/quantity.ts";
import { type Facts, programs } from "./facts.ts";
import { type Check, fail, ok, unknown, type Verdict, warn } from "./finding.ts";

/** Our own programs on this machine, and what they keep. */
export const programChecks: Check[] = [
  { id: "daemon", why: "it looks after runtimes, and carries out what is asked", judge: judgeDaemon },
  { id: "versions", why: "programs of one version are tried together", judge: judgeVersions },
  {
    id: "state files",
    why: "a damaged file means a failing disk, and wishes that were lost with it",
    judge({ setAside }) {
      if (setAside.is === "unknown") return unknown(setAside.problem);
      if (setAside.value.length === 0) return ok("none was set aside as unreadable");
      const next = "check the disk, put a backup back or create the runtimes again, then remove the copy";
      return warn(`set aside as unreadable: ${setAside.value.join(", ")}`, next);
    },
  },
  {
    id: "certificate",
    why: "by it the hub knows this node; a node without a valid one is let in only to renew it",
    judge: judgeCertificate,
  },
  { id: "netmon", why: "without it, runtimes run and have no vNICs", judge: judgeNetmon },
  {
    id: "netmon rights",
    why: "it makes links, and goes into the network namespaces of containers",
    judge({ netmonRights }) {
      if (netmonRights.is === "unknown") return unknown(netmonRights.problem);
      if (!netmonRights.value) return unknown("no process of netmon is seen from here", "start netmon");
      const { pid, missing } = netmonRights.value;
      if (missing.length === 0) return ok(`process ${pid} has all that it needs`);
      const next = "start it as install/compose.yaml and the systemd unit do";
      return fail(`process ${pid} lacks ${missing.join(", ")}`, next);
    },
  },
  {
    id: "programs",
    why: "netmon calls them",
    judge({ missingPrograms }) {
      if (missingPrograms.length === 0) return ok(`${Object.keys(programs).join(", ")} are there`);
      const packages = [...new Set(missingPrograms.map((one) => programs[one]))].join(" ");
      const next = `unless netmon runs from its image, which has them: apt-get install ${packages}`;
      return warn(`not found here: ${missingPrograms.join(", ")}`, next);
    },
  },
];

function judgeDaemon({ daemon }: Facts): Verdict {
  if (daemon.is === "unknown") {
    return daemon.isDenied ? unknown(daemon.problem) : fail(daemon.problem, "its log says why it ended");
  }
  const { daemonVersion, connected, hubAddress } = daemon.value;
  const says = `version ${daemonVersion} answers`;
  if (connected) return ok(`${says}, connected to the hub at ${hubAddress}`);
  if (hubAddress === "") return ok(`${says}; this node has no hub`);
  const next = "orchestrator daemon status, and the daemon's log, say why";
  return warn(`${says}, not connected to the hub at ${hubAddress}`, next);
}

function judgeVersions({ cliVersion, daemon, netmon }: Facts): Verdict {
  const found = [
    { name: "this program", version: cliVersion },
    { name: "daemon", version: daemon.is === "known" ? daemon.value.daemonVersion : "" },
    { name: "netmon", version: netmon.is === "known" ? netmon.value.version : "" },
  ];
  const said = found.filter(({ version }) => version !== "");
  const says = said.map(({ name, version }) => `${name} ${version}`).join(", ");
  const silent = found.filter(({ version }) => version === "").map(({ name }) => name);
  if (new Set(said.map(({ version }) => version)).size > 1) {
    return warn(says, "install one version of all, and start the older program anew");
  }
  if (silent.length === 0) return ok(says);
  return unknown(`${says}; not told by ${silent.join(" and ")}`, "start what does not run, or update it");
}

function judgeNetmon({ netmon }: Facts): Verdict {
  if (netmon.is === "unknown") {
    return netmon.isDenied
      ? unknown(netmon.problem)
      : fail(netmon.problem, "systemctl status orchestrator-netmon, or docker logs orchestrator-netmon");
  }
  const { where, parents } = netmon.value;
  const seen = parents.map(({ name }) => name).join(", ") || "no interface";
  return ok(`answers at ${where}, and sees ${seen}`);
}

/** The share of a certificate's life after which it is renewed, and the one after which that should have happened. */
const renewal = { due: 2 / 3, late: 3 / 4 };

function judgeCertificate({ certificate, nowMs }: Facts): Verdict {
  if (certificate.is === "unknown") return unknown(certificate.problem);
  if (!certificate.value) return ok("this node is not enrolled: it has none");
  const { fromMs, untilMs } = certificate.value;
  const day = (ms: number) => new Date(ms).toISOString().slice(0, 10);
  const anew =
    "the daemon renews it within the hub's grace; past that, a new token and daemon enroll --force";
  if (nowMs >= untilMs) return fail(`it ended on ${day(untilMs)}`, anew);
  if (fromMs !== undefined && nowMs < fromMs)
    return fail(`it begins on ${day(fromMs)} only`, "set this machine's clock");
  const says = `it is good for ${formatDuration(untilMs - nowMs)}, until ${day(untilMs)}`;
  const share = fromMs === undefined ? 0 : (nowMs - fromMs) / (untilMs - fromMs);
  if (share >= renewal.late) {
    return warn(`${says}, and should have been renewed`, "the daemon's log, and events watch, say why");
  }
  return ok(share >= renewal.due ? `${says}; the renewal is due now` : says);
}
