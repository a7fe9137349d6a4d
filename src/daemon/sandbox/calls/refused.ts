/** A condition on one argument or two of a system call: the call is refused only when it holds. */
export type Only =
  /** It has one of these bits in its first argument. */
  | { is: "flags"; flags: number }
  /** It makes a device: the mode is this argument. */
  | { is: "device"; argument: number }
  /** It is a socket that is none of those of `commonSockets`. */
  | { is: "socket" };

/** A system call that no program of a cell may make. */
export interface RefusedCall {
  name: string;
  /** Its number by the kernel's names of machines; -1 where there is none. */
  numbers: Readonly<Record<Machine, number>>;
  only?: Only;
  /** What of it is refused, in words; absent when all is. */
  words?: string;
}

/** Machines as the kernel tells them apart: AUDIT_ARCH_X86_64, I386, AARCH64, ARM. */
export const machines = { x64: 0xc000003e, i386: 0x40000003, arm64: 0xc00000b7, arm: 0x40000028 } as const;
export type Machine = keyof typeof machines;

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
export const newNamespaceFlags = [
  ...[0x0002_0000, 0x0200_0000, 0x0400_0000, 0x0800_0000],
  ...[0x1000_0000, 0x2000_0000, 0x4000_0000],
];

/** AF_UNIX, AF_INET, AF_INET6, AF_NETLINK: no other kind of network is in a cell. */
export const commonSockets = { unix: 1, inet: 2, inet6: 10, netlink: 16 };

type Row = Pick<RefusedCall, "only" | "words">;
const newNamespaces: Row = {
  only: { is: "flags", flags: newNamespaceFlags.reduce((all, one) => all | one) },
  words: "with a namespace of its own",
};
const foreignSocket: Row = {
  only: { is: "socket" },
  words: "for raw packets, or of a kind that no cell has",
};
const device = (argument: number): Row => ({ only: { is: "device", argument }, words: "for a device" });

function row(
  name: string,
  [x64, i386, arm64, arm]: readonly [number, number, number, number],
  how: Row = {},
) {
  return { name, numbers: { x64, i386, arm64, arm }, ...how };
}

/**
 * What is refused and told. An engine refuses most of it, too, but tells nobody. Calls that libraries try and do without (clone3,
 * io_uring, memory policies) are refused by the profile and not told: a program that makes them attacks nobody.
 */
export const refusedCalls: readonly RefusedCall[] = [
  // What the file system is.
  row("mount", [165, 21, 40, 21]),
  row("umount", [-1, 22, -1, -1]),
  row("umount2", [166, 52, 39, 52]),
  row("pivot_root", [155, 217, 41, 218]),
  row("chroot", [161, 61, 51, 61]),
  row("fsopen", [430, 430, 430, 430]),
  row("fsconfig", [431, 431, 431, 431]),
  row("fsmount", [432, 432, 432, 432]),
  row("fspick", [433, 433, 433, 433]),
  row("open_tree", [428, 428, 428, 428]),
  row("move_mount", [429, 429, 429, 429]),
  row("mount_setattr", [442, 442, 442, 442]),
  // Namespaces.
  row("unshare", [272, 310, 97, 337]),
  row("setns", [308, 346, 268, 375]),
  row("clone", [56, 120, 220, 120], newNamespaces),
  // Other programs.
  row("ptrace", [101, 26, 117, 26]),
  row("process_vm_readv", [310, 347, 270, 376]),
  row("process_vm_writev", [311, 348, 271, 377]),
  row("pidfd_getfd", [438, 438, 438, 438]),
  // Devices, and packets that no rule of a network sees as it should.
  row("mknod", [133, 14, -1, 14], device(1)),
  row("mknodat", [259, 297, 33, 324], device(2)),
  row("socket", [41, 359, 198, 281], foreignSocket),
  // The kernel's own programs, counters and keys.
  row("bpf", [321, 357, 280, 386]),
  row("perf_event_open", [298, 336, 241, 364]),
  row("userfaultfd", [323, 374, 282, 388]),
  row("add_key", [248, 286, 217, 309]),
  row("request_key", [249, 287, 218, 310]),
  row("keyctl", [250, 288, 219, 311]),
  // The machine.
  row("init_module", [175, 128, 105, 128]),
  row("finit_module", [313, 350, 273, 379]),
  row("delete_module", [176, 129, 106, 129]),
  row("kexec_load", [246, 283, 104, 347]),
  row("kexec_file_load", [320, -1, 294, 401]),
  row("reboot", [169, 88, 142, 88]),
  row("swapon", [167, 87, 224, 87]),
  row("swapoff", [168, 115, 225, 115]),
  row("acct", [163, 51, 89, 51]),
  row("quotactl", [179, 131, 60, 131]),
  row("quotactl_fd", [443, 443, 443, 443]),
  row("settimeofday", [164, 79, 170, 79]),
  row("stime", [-1, 25, -1, -1]),
  row("clock_settime", [227, 264, 112, 262]),
  row("clock_settime64", [-1, 404, -1, 404]),
  row("sethostname", [170, 74, 161, 74]),
  row("setdomainname", [171, 121, 162, 121]),
  row("syslog", [103, 103, 116, 103]),
  row("iopl", [172, 110, -1, -1]),
  row("ioperm", [173, 101, -1, -1]),
  row("open_by_handle_at", [304, 342, 265, 371]),
];

/** How a refused system call is told, as in "called mknodat for a device". */
export function wordsOf(arch: number, number: number): string {
  const machine = (Object.keys(machines) as Machine[]).find((one) => machines[one] === arch); // Its keys.
  const call = refusedCalls.find((one) => machine !== undefined && one.numbers[machine] === number);
  if (call) return [`called ${call.name}`, call.words].filter(Boolean).join(" ");
  return machine === "x64"
    ? `made system call ${number} as an x32 program`
    : "made a system call of another machine";
}
