/** Judging is pure: a machine is described, and what the doctor says of it is compared. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Facts, Tried } from "../../../src/cli/doctor/facts.ts";
import { judge } from "../../../src/cli/doctor/judge.ts";

const parents = [
  { name: "eth0", kind: "physical", carrier: true },
  { name: "wlan0", kind: "wireless", carrier: true },
];

const known = <T>(value: T) => ({ is: "known" as const, value });
const unknown = (problem: string) => ({ is: "unknown" as const, problem });
const well = known({ isWell: true, says: "well" });
const dayMs = 86_400_000;
const nowMs = Date.UTC(2026, 10, 21);
const room = { path: "/var/lib", freeBytes: 2 ** 33, totalBytes: 2 ** 34 };
const engineInfo = {
  ...{ storageDriver: "overlay2", cgroupVersion: "2", cgroupDriver: "systemd", rootDir: "/var/lib/docker" },
  ...{ hasMemoryLimit: true, liveRestore: true, limitsSwap: true, tellsCalls: true },
  ...{ missingForAgents: [] as string[], runtimes: ["crun", "runc"] },
};
const can = { veth: undefined, macvlan: undefined, vlan: undefined, ipvlan: undefined };
const limits = { rtprio: 99, memlock: Number.POSITIVE_INFINITY, mayRaise: false, rtRuntimeUs: 950_000 };
const flash = { name: "mmcblk0", kind: "eMMC", lifeTime: 1, preEndOfLife: 1 };
const port = "/dev/serial/by-id/usb-FTDI-if00";

/** A machine on which all is well. */
const sound: Facts = {
  ...{ cliVersion: "0.1.0", nowMs, hubOffsetMs: 12, hypervisor: undefined, parent: undefined },
  engine: known({ version: "27.1", host: "unix:///var/run/docker.sock" }),
  engineInfo: known(engineInfo),
  engineDisk: known(room),
  leftovers: known([]),
  daemon: known({ daemonVersion: "0.1.0", connected: true, hubAddress: "hub:7443" }),
  setAside: known([]),
  certificate: known({ fromMs: nowMs - 10 * dayMs, untilMs: nowMs + 20 * dayMs }),
  vault: known({ keySource: "tpm", thumbprint: "E8Hb", lendingProblem: "" }),
  ...{ swap: known([] as string[]), providers: undefined },
  netmon: known({ where: "/run/netmon.sock", version: "0.1.0", parents }),
  netmonRights: known({ pid: 7, missing: [] }),
  ...{ missingPrograms: [], missingCapabilities: known([] as string[]) },
  links: known(can),
  filter: known({ policy: "DROP", refusing: [] }),
  filterKinds: known({ used: "nf_tables", other: [] }),
  isForwarding: known(true),
  timeSync: known({ isSynchronized: true, services: ["chrony"] }),
  memory: known({ availableBytes: 2 ** 31, totalBytes: 2 ** 32 }),
  disk: known(room),
  flash: known([flash]),
  logs: known({ path: "/var/log", bytes: 2 ** 20 }),
  serial: known({ ports: [{ path: port, isUsable: true }], grabbers: [] }),
  kernel: known({ release: "6.1.0", preemption: "PREEMPT_RT" }),
  limits: known(limits),
  governors: known(["performance"]),
  isolated: known({ cpus: "2-3", pinned: ["line-1"] }),
  proxy: known(undefined),
  hub: { address: "hub:7443", steps: { dns: well, tcp: well, tls: well, identity: well } },
};

const tried = (answersOwnMac: boolean, answersOtherMac: boolean, name = "eth0"): Facts["parent"] => {
  const value: Tried = { gateway: "192.168.1.1", answersOwnMac, answersOtherMac };
  return { name, tried: known(value) };
};

test("a machine on which all is well has nothing but good findings, each with its reason", () => {
  const findings = judge({ ...sound, parent: tried(true, true) });
  assert.deepEqual(
    findings.filter(({ level, why }) => level !== "ok" || why === ""),
    [],
  );
  assert.ok(findings.length >= 25, `${findings.length}`);
  assert.equal(new Set(findings.map(({ check }) => check)).size, findings.length);
});

test("each trouble has its own finding, with what to do", () => {
  const guest = "VMware, Inc. VMware7,1";
  const step = (name: string, says: string): Partial<Facts> => ({
    hub: {
      address: "hub:1",
      steps: {
        ...(sound.hub?.steps ?? { dns: well, tcp: well, tls: well, identity: well }),
        [name]: known({ isWell: false, says }),
      },
    },
  });
  const cases: [Partial<Facts>, finding: string][] = [
    [{ vault: unknown("the vault is locked") }, "fail vault: the vault is locked -> docs/credentials.md"],
    [
      { vault: known({ keySource: "file", thumbprint: "", lendingProblem: "secrets cannot be lent" }) },
      "warn lending: secrets cannot be lent -> only agents that are lent",
    ],
    [
      { swap: known(["/dev/sda2"]) },
      "warn lending: secrets can be lent, and the kernel may swap to /dev/sda2 -> ",
    ],
    [
      { providers: known([{ url: "http://llm", problem: "refused" }]) },
      "fail providers: http://llm: refused -> check the address",
    ],
    [{ engine: unknown("no engine answers") }, "fail engine: no engine answers -> start the engine"],
    [
      { engine: { is: "unknown", problem: "this user may not", isDenied: true } },
      "unknown engine: this user may not -> ",
    ],
    [{ engine: known({ version: "19.03.1", host: "unix:///s" }) }, "warn engine: version 19.03.1 answers"],
    [
      { engineInfo: known({ ...engineInfo, storageDriver: "vfs" }) },
      "warn engine storage: the storage driver is vfs -> use overlay2",
    ],
    [
      { engineInfo: known({ ...engineInfo, hasMemoryLimit: false }) },
      "warn cgroups: version 2, kept by systemd; memory cannot be limited -> add cgroup_enable=memory",
    ],
    [
      { engineInfo: known({ ...engineInfo, missingForAgents: ["seccomp", "memory limits"] }) },
      "warn agents: no agent can run: the engine has no seccomp, no memory limits -> ",
    ],
    [
      { engineInfo: known({ ...engineInfo, limitsSwap: false, tellsCalls: false }) },
      "warn agents: isolation: container, oci:crun, oci:runc; system calls that are refused are no events here; memory limits do not count swap -> ",
    ],
    [
      { engineInfo: known({ ...engineInfo, liveRestore: false }) },
      "warn live-restore: containers end with the engine -> ",
    ],
    [
      { engineDisk: known({ ...room, freeBytes: 2 ** 34 * 0.15 }) },
      "warn engine disk: 2.40 GiB of 16.0 GiB are free at /var/lib -> docker system df",
    ],
    [{ engineDisk: known({ ...room, freeBytes: 0 }) }, "fail engine disk: 0 B of 16.0 GiB"],
    [
      { leftovers: known(["a", "b", "c", "d", "e", "f", "g"]) },
      "warn leftovers: of no runtime of this daemon: a, b, c, d, e and 2 more -> ",
    ],
    [{ daemon: unknown("no daemon answers") }, "fail daemon: no daemon answers -> its log"],
    [
      { daemon: known({ daemonVersion: "1", connected: false, hubAddress: "hub:1" }) },
      "warn daemon: version 1 answers, not connected to the hub at hub:1 -> ",
    ],
    [
      { daemon: known({ daemonVersion: "0.0.9", connected: true, hubAddress: "hub:1" }) },
      "warn versions: this program 0.1.0, daemon 0.0.9, netmon 0.1.0 -> install one version",
    ],
    [
      { netmon: known({ where: "/s", version: "", parents }) },
      "unknown versions: this program 0.1.0, daemon 0.1.0; not told by netmon -> ",
    ],
    [
      { setAside: known(["/var/lib/daemon.db.unreadable-1Z"]) },
      "warn state files: set aside as unreadable: /var/lib/daemon.db.unreadable-1Z -> check the disk",
    ],
    [
      { certificate: known({ fromMs: 0, untilMs: nowMs - 1 }) },
      "fail certificate: it ended on 2026-11-20 -> the daemon renews it within",
    ],
    [
      { certificate: known({ fromMs: nowMs + dayMs, untilMs: nowMs + 2 * dayMs }) },
      "fail certificate: it begins on 2026-11-22 only -> set this machine's clock",
    ],
    [
      { certificate: known({ fromMs: nowMs - 27 * dayMs, untilMs: nowMs + 3 * dayMs }) },
      "warn certificate: it is good for 3d, until 2026-11-24, and should have been renewed -> ",
    ],
    [{ netmon: unknown("no netmon answers") }, "fail netmon: no netmon answers -> systemctl"],
    [
      { netmonRights: known({ pid: 7, missing: ["SYS_PTRACE"] }) },
      "fail netmon rights: process 7 lacks SYS_PTRACE -> ",
    ],
    [{ netmonRights: known(undefined) }, "unknown netmon rights: no process of netmon is seen"],
    [
      { missingPrograms: ["busybox udhcpc", "busybox arping"] },
      "warn programs: not found here: busybox udhcpc, busybox arping -> unless netmon runs from its image, which has them: apt-get install busybox-static",
    ],
    [{ proxy: unknown("no proxy is named") }, "fail proxy: no proxy is named -> "],
    [step("dns", "hub has no address"), "fail hub dns: hub has no address -> check /etc/resolv.conf"],
    [step("tcp", "refused"), "fail hub tcp: refused -> check the hub"],
    [step("tls", "wrong version"), "fail hub tls: wrong version -> what answers there"],
    [step("identity", "self-signed"), "fail hub identity: self-signed -> check the hub's address"],
    [
      { links: unknown("Operation not permitted") },
      "unknown kernel veth: it could not be tried: Operation not permitted -> run the doctor as root",
    ],
    [
      { links: known({ ...can, macvlan: "no" }) },
      "fail kernel macvlan: cannot be made: no -> load or build the module macvlan",
    ],
    [
      { links: known({ ...can, vlan: "no" }) },
      "warn kernel vlan: cannot be made: no -> load or build the module 8021q",
    ],
    [{ isForwarding: known(false) }, "warn ip_forward: IPv4 is not forwarded -> net.ipv4.ip_forward=1"],
    [
      { filter: known({ policy: "DROP", refusing: ["-A FORWARD -j REJECT"] }) },
      "warn forwarding: the policy of FORWARD is DROP, and a rule refuses all: -A FORWARD -j REJECT -> ",
    ],
    [
      { filterKinds: known({ used: "nf_tables", other: ["nat"] }) },
      "warn firewall kinds: iptables is nf_tables, and the other kind has tables, too: nat -> move",
    ],
    [{ nowMs: 0 }, "fail clock: it is 1970-01-01T00:00:00Z here, which cannot be -> "],
    [{ hubOffsetMs: 3_000 }, "warn clock: 3s behind the hub's -> "],
    [{ hubOffsetMs: -3_600_000 }, "fail clock: 1h ahead of the hub's -> "],
    [
      { timeSync: known({ isSynchronized: false, services: [] }) },
      "warn time sync: the kernel's clock is kept right by nobody -> apt-get install chrony",
    ],
    [
      { timeSync: known({ isSynchronized: false, services: ["chrony"] }) },
      "warn time sync: chrony runs, and has no time yet -> check",
    ],
    [
      { memory: known({ availableBytes: 2 ** 20, totalBytes: 2 ** 30 }) },
      "fail memory: 1.00 MiB of 1.00 GiB are available -> orchestrator runtime stats",
    ],
    [
      { memory: known({ availableBytes: 2 ** 27, totalBytes: 2 ** 32 }) },
      "warn memory: 128 MiB of 4.00 GiB are available -> ",
    ],
    [
      { disk: known({ path: "/var/lib", freeBytes: 50 << 20, totalBytes: 1 }) },
      "fail disk: 50.0 MiB of 1 B are free at /var/lib -> free some",
    ],
    [
      { flash: known([{ ...flash, lifeTime: 9 }]) },
      "warn storage wear: mmcblk0 has used up to 90 % of its life -> replace it",
    ],
    [{ flash: known([{ ...flash, lifeTime: 11 }]) }, "fail storage wear: mmcblk0 is past its life"],
    [{ flash: known([{ ...flash, preEndOfLife: 3 }]) }, "fail storage wear: mmcblk0 has hardly any"],
    [
      { flash: known([{ ...flash, kind: "SD card", lifeTime: undefined }]) },
      "unknown storage wear: mmcblk0 (SD card) does not tell its wear -> ",
    ],
    [{ logs: known({ path: "/var/log", bytes: 2 ** 32 }) }, "warn log volume: 4.00 GiB in /var/log -> "],
    [
      { serial: known({ ports: [{ path: port, isUsable: false }], grabbers: [] }) },
      `warn serial ports: not to be opened: ${port} -> a udev rule`,
    ],
    [
      { serial: known({ ports: [{ path: port, isUsable: true }], grabbers: ["ModemManager"] }) },
      `warn serial ports: ${port}; ModemManager opens new ports and writes to them -> remove it`,
    ],
    [
      { missingCapabilities: known(["SYS_RESOURCE"]) },
      "warn rights: no program here can have SYS_RESOURCE -> runtimes run, without",
    ],
    [
      { missingCapabilities: known(["NET_ADMIN"]) },
      "fail rights: no program here can have NET_ADMIN -> this machine is itself a container",
    ],
    [
      { kernel: known({ release: "6.1", preemption: "PREEMPT_DYNAMIC" }) },
      "warn rt kernel: 6.1, PREEMPT_DYNAMIC -> fine for cycles of 10 ms",
    ],
    [
      { limits: known({ ...limits, rtprio: 0, memlock: 65_536 }) },
      "warn rt limits: the engine has rtprio 0, memlock 65536, and may not raise them -> LimitRTPRIO=99",
    ],
    [{ limits: known({ ...limits, rtRuntimeUs: 0 }) }, "fail rt limits: the kernel gives no time"],
    [{ governors: known(["powersave"]) }, "warn cpu governor: it is powersave -> cpupower"],
    [
      { isolated: known({ cpus: "2-3", pinned: [] }) },
      "warn isolated cpus: 2-3 are isolated, and no runtime is put there -> ",
    ],
    [
      { hypervisor: guest },
      `warn hypervisor: this machine is a guest of ${guest}, whose virtual switch may refuse the MACs of vNICs -> allow promiscuous mode`,
    ],
    [
      { hypervisor: "", parent: tried(true, false) },
      "fail parent eth0: the gateway 192.168.1.1 answers the interface's own MAC, and no other -> allow promiscuous mode",
    ],
    [
      { parent: tried(true, false) },
      "fail parent eth0: the gateway 192.168.1.1 answers the interface's own MAC, and no other -> switch port security",
    ],
    [{ parent: tried(false, false) }, "warn parent eth0: the gateway 192.168.1.1 does not answer at all -> "],
    [
      { parent: tried(true, true, "eth00") },
      "fail parent eth00: there is no such interface -> did you mean eth0?",
    ],
    [{ parent: tried(true, true, "wlan0") }, "warn parent wlan0: Wi-Fi takes frames of one MAC only"],
    [
      { parent: { name: "eth0", tried: unknown("eth0 has no carrier") } },
      "fail parent eth0: eth0 has no carrier -> then try it again",
    ],
  ];
  for (const [facts, finding] of cases) {
    const told = judge({ ...sound, ...facts })
      .filter(({ level }) => level !== "ok")
      .map(({ level, check, says, next }) => `${level} ${check}: ${says} -> ${next}`);
    assert.ok(
      told.some((one) => one.startsWith(finding)),
      `${finding}\n${told.join("\n")}`,
    );
  }
});

test("what could not be looked at is unknown, and never well", () => {
  const answers = Object.entries(sound).filter(([, fact]) => fact?.is === "known");
  const blind = Object.fromEntries(answers.map(([name]) => [name, unknown("not seen")]));
  const ofAnswers = judge({ ...sound, ...blind }).filter(
    ({ check }) => !/^hub |^clock|^programs|^hypervisor/.test(check),
  );
  assert.deepEqual(
    ofAnswers.filter(({ level }) => level === "ok" || level === "warn"),
    [],
  );
});
