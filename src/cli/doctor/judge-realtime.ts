import { type Check, fail, ok, unknown, warn } from "./finding.ts";

/** What OpenPLC asks for its cycle. */
const wanted = { rtprio: 99, memlock: Number.POSITIVE_INFINITY };

/** What keeps the cycle of a soft PLC even. */
export const realTimeChecks: Check[] = [
  {
    id: "rt kernel",
    why: "how late a cycle may begin is up to the kernel",
    judge({ kernel }) {
      if (kernel.is === "unknown") return unknown(kernel.problem);
      const { release, preemption } = kernel.value;
      const says = `${release}, ${preemption}`;
      if (preemption === "PREEMPT_RT") return ok(says);
      return warn(
        says,
        "fine for cycles of 10 ms and more; for shorter ones install a kernel with PREEMPT_RT",
      );
    },
  },
  {
    id: "rt limits",
    why: "a runtime asks for real-time priority and for memory that stays in place",
    judge({ limits }) {
      if (limits.is === "unknown") return unknown(limits.problem);
      const { rtprio, memlock, mayRaise, rtRuntimeUs } = limits.value;
      if (rtRuntimeUs === 0) {
        return fail(
          "the kernel gives no time to real-time tasks",
          "sysctl -w kernel.sched_rt_runtime_us=950000",
        );
      }
      if (mayRaise) return ok("the engine may give any limit to a runtime");
      if (rtprio >= wanted.rtprio && memlock >= wanted.memlock) return ok("rtprio 99, memlock unlimited");
      const next = "LimitRTPRIO=99 and LimitMEMLOCK=infinity in the engine's unit, then restart it";
      return warn(`the engine has rtprio ${rtprio}, memlock ${memlock}, and may not raise them`, next);
    },
  },
  {
    id: "cpu governor",
    why: "a CPU that clocks down at rest is late when it wakes",
    judge({ governors }) {
      if (governors.is === "unknown") return unknown(governors.problem);
      const used = governors.value;
      if (used.length === 0) return ok("the kernel does not change the clock of CPUs here");
      const says = `it is ${used.join(", ")}`;
      return used.every((one) => one === "performance")
        ? ok(says)
        : warn(says, "cpupower frequency-set -g performance, where cycles are short");
    },
  },
  {
    id: "isolated cpus",
    why: "nobody else runs on an isolated CPU, nor does anything that is not put there",
    judge({ isolated }) {
      if (isolated.is === "unknown") return unknown(isolated.problem);
      const { cpus, pinned } = isolated.value;
      if (cpus === "") return ok("none is isolated: runtimes share them with everything else");
      if (pinned.length > 0) return ok(`${cpus} are isolated, for ${pinned.join(", ")}`);
      return warn(
        `${cpus} are isolated, and no runtime is put there`,
        "runtime create --cpuset, or give them back",
      );
    },
  },
];
