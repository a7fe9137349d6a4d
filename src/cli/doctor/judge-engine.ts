import { formatBytes } from "../../base/quantity.ts";
import type { Facts } from "./facts.ts";
import { type Check, fail, ok, unknown, type Verdict, warn } from "./finding.ts";

const nextForEngine = "start the engine, or name it with DOCKER_HOST or docker.host";

/** The oldest engine that the tests run on. */
const oldestMajor = 20;

/** What runtimes need of the container engine. */
export const engineChecks: Check[] = [
  {
    id: "engine",
    why: "it runs the containers of all runtimes",
    judge({ engine }) {
      if (engine.is === "unknown") {
        return (engine.isDenied ? unknown : fail)(engine.problem, nextForEngine);
      }
      const { version, host } = engine.value;
      const says = `version ${version} answers at ${host}`;
      if (Number.parseInt(version, 10) < oldestMajor) {
        return warn(says, `update it: nothing older than ${oldestMajor}.10 was tried`);
      }
      return ok(says);
    },
  },
  {
    id: "engine storage",
    why: "a driver without copy-on-write stores every container whole, and pulls take long",
    judge: ({ engineInfo }) => {
      if (engineInfo.is === "unknown") return unknown(engineInfo.problem, nextForEngine);
      const driver = engineInfo.value.storageDriver;
      const slow = ["vfs", "devicemapper", "aufs"].includes(driver);
      const says = `the storage driver is ${driver}`;
      return slow
        ? warn(says, 'use overlay2: "storage-driver" in the engine\'s daemon.json; images are pulled anew')
        : ok(says);
    },
  },
  {
    id: "cgroups",
    why: "without them a runtime takes all memory, and takes its neighbours with it",
    judge({ engineInfo }) {
      if (engineInfo.is === "unknown") return unknown(engineInfo.problem, nextForEngine);
      const { cgroupVersion, cgroupDriver, hasMemoryLimit } = engineInfo.value;
      const says = `version ${cgroupVersion || "unknown"}, kept by ${cgroupDriver}`;
      if (hasMemoryLimit) return ok(says);
      const next = "add cgroup_enable=memory to the kernel's command line, and boot anew";
      return warn(`${says}; memory cannot be limited`, next);
    },
  },
  {
    id: "live-restore",
    why: "without it, an engine that is updated or restarted ends every runtime",
    judge({ engineInfo }) {
      if (engineInfo.is === "unknown") return unknown(engineInfo.problem, nextForEngine);
      if (engineInfo.value.liveRestore) return ok("containers outlive the engine");
      const next =
        '"live-restore": true in the engine\'s daemon.json, then reload it: nothing stops for that';
      return warn("containers end with the engine", next);
    },
  },
  {
    id: "agents",
    why: "an agent is confined by the engine, and none is started with less than all of it",
    judge({ engineInfo }) {
      if (engineInfo.is === "unknown") return unknown(engineInfo.problem, nextForEngine);
      const { missingForAgents, runtimes, limitsSwap, tellsCalls } = engineInfo.value;
      if (missingForAgents.length > 0) {
        const next =
          "look for \"seccomp-profile\" in the engine's daemon.json, and for cgroup_disable on the kernel's command line";
        return warn(`no agent can run: the engine has no ${missingForAgents.join(", no ")}`, next);
      }
      const told = tellsCalls ? "" : "; system calls that are refused are no events here";
      const says = `isolation: container, ${runtimes.map((name) => `oci:${name}`).join(", ")}${told}`;
      if (limitsSwap) return ok(says);
      const next = "add swapaccount=1 to the kernel's command line and boot anew, or turn swap off";
      return warn(`${says}; memory limits do not count swap`, next);
    },
  },
  {
    id: "engine disk",
    why: "a full disk ends pulls, and the writing of runtimes",
    judge: judgeEngineDisk,
  },
  {
    id: "leftovers",
    why: "what belongs to no runtime takes room, and may hold ports and addresses",
    judge({ leftovers }) {
      if (leftovers.is === "unknown") return unknown(leftovers.problem, "start engine and daemon");
      if (leftovers.value.length === 0) return ok("all that carries our labels belongs to a runtime");
      const [shown, rest] = [leftovers.value.slice(0, 5), leftovers.value.length - 5];
      const more = rest > 0 ? ` and ${rest} more` : "";
      return warn(
        `of no runtime of this daemon: ${shown.join(", ")}${more}`,
        "another daemon's on this engine, or of an earlier one: when sure, docker rm -f, docker network rm, docker volume rm",
      );
    },
  },
];

/** From these shares on the daemon cleans up, and refuses pulls (`images.clean_above_percent`). */
const shares = { warn: 0.8, fail: 0.92 };

function judgeEngineDisk({ engineDisk }: Facts): Verdict {
  if (engineDisk.is === "unknown") return unknown(engineDisk.problem, "look at its file system by hand");
  const { path, freeBytes, totalBytes } = engineDisk.value;
  const says = `${formatBytes(freeBytes)} of ${formatBytes(totalBytes)} are free at ${path}`;
  const used = 1 - freeBytes / totalBytes;
  const next = "docker system df shows what takes the room";
  if (used >= shares.fail) return fail(says, next);
  return used >= shares.warn ? warn(says, next) : ok(says);
}
