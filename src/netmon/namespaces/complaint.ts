import type { FailureKind } from "../../base/failure.ts";

/** What a program said and how it ended. */
export interface Ending {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a shell and nsenter(1) end when the program that they should run is not there. */
export const notThere = 127;

export interface Complaint {
  readonly kind: FailureKind;
  /** What is wrong, with the next step where there is one. */
  readonly sentence: string;
}

/** Which package of Debian has a program. */
const packages: Readonly<Record<string, string>> = {
  bpftool: "bpftool",
  bridge: "iproute2",
  busybox: "busybox",
  ip: "iproute2",
  nft: "nftables",
  nsenter: "util-linux",
  unshare: "util-linux",
};

/** The kernel's words, as ip(8), busybox and a shell repeat them, and what a caller can do about each. */
const words: readonly (readonly [RegExp, FailureKind, string?])[] = [
  [/IPv6 is disabled/, "conflict"],
  [
    /Operation not supported|Unknown device type|Unsupported|Protocol not supported/,
    "unsupported",
    "this kernel cannot do it",
  ],
  [/Address already in use/, "conflict", "another link on the same parent has this MAC"],
  [/Device or resource busy/, "conflict", "it is in use by something else, such as a bridge"],
  [/File exists/, "conflict"],
  [/Cannot find device|No such device|does not exist|Address not found|No such process/, "not_found"],
  [/No such file or directory/, "not_found"],
  [/Cannot assign requested address|interface \S+ not found/, "not_found"],
  [/Operation not permitted|Permission denied/, "denied", "netmon needs NET_ADMIN, SYS_ADMIN and SYS_PTRACE"],
  [
    /Read-only file system/,
    "denied",
    "run netmon's container with --security-opt systempaths=unconfined, so that it may write /proc/sys",
  ],
  [/Network is down|is down/, "unavailable", "a link that it needs is down"],
  [/invalid gateway|Network is unreachable|Invalid argument|is wrong|expected/, "invalid"],
];

/** What a program that failed complains of. Its own words stay in the sentence: they are what people search for. */
export function complaintOf(program: string, { code, stderr }: Ending): Complaint {
  if (code === notThere) {
    const missing = stderr.startsWith("nsenter: not found") ? "nsenter" : program;
    const sentence = `the program ${missing} is not here: install ${packages[missing] ?? missing}`;
    return { kind: "unavailable", sentence };
  }
  const said = spoken(stderr) || `it ended with ${code} and said nothing`;
  if (said.startsWith("nsenter:")) {
    return { kind: "not_found", sentence: `the network namespace cannot be entered (${said})` };
  }
  for (const [pattern, kind, meaning] of words) {
    if (pattern.test(said)) return { kind, sentence: meaning === undefined ? said : `${said} (${meaning})` };
  }
  return { kind: "internal", sentence: said };
}

/** The complaint itself, without who repeats it and where. */
function spoken(stderr: string): string {
  const lines = stderr.split("\n").filter((line) => line !== "" && !/^Command failed/.test(line));
  return lines.map((line) => line.replace(/^(RTNETLINK answers|Error): /, "")).join(" ");
}
