import assert from "node:assert/strict";
import { test } from "node:test";
import { complaintOf } from "../../../src/netmon/namespaces/complaint.ts";

/** Recorded from iproute2 6.1, util-linux 2.38 and busybox 1.35 on Linux 6. */
const recorded: readonly (readonly [program: string, code: number, stderr: string, expected: string])[] = [
  ["ip", 2, "Error: Unknown device type.\n", "unsupported: Unknown device type. (this kernel cannot do it)"],
  ["ip", 2, "RTNETLINK answers: File exists\n", "conflict: File exists"],
  ["ip", 1, 'Cannot find device "e9"\n', 'not_found: Cannot find device "e9"'],
  ["ip", 2, "Error: ipv4: Address not found.\n", "not_found: ipv4: Address not found."],
  ["ip", 2, "RTNETLINK answers: No such process\n", "not_found: No such process"],
  ["ip", 2, "Error: Nexthop has invalid gateway.\n", "invalid: Nexthop has invalid gateway."],
  [
    "ip",
    2,
    "RTNETLINK answers: Address already in use\n",
    "conflict: Address already in use (another link on the same parent has this MAC)",
  ],
  [
    "busybox",
    2,
    "arping: interface nope not found: No such device\n",
    "not_found: arping: interface nope not found: No such device",
  ],
  [
    "sh",
    1,
    "sh: 9: cannot create /proc/sys/net/ipv6/conf/lan0/accept_ra: Read-only file system\n",
    "denied: sh: 9: cannot create /proc/sys/net/ipv6/conf/lan0/accept_ra: Read-only file system (run netmon's container with --security-opt systempaths=unconfined, so that it may write /proc/sys)",
  ],
  [
    "ip",
    1,
    "nsenter: cannot open /proc/7/fd/20: No such file or directory\n",
    "not_found: the network namespace cannot be entered (nsenter: cannot open /proc/7/fd/20: No such file or directory)",
  ],
  [
    "ip",
    127,
    "nsenter: failed to execute ip: No such file or directory\n",
    "unavailable: the program ip is not here: install iproute2",
  ],
  ["ip", 127, "nsenter: not found", "unavailable: the program nsenter is not here: install util-linux"],
  ["ip", 3, "", "internal: it ended with 3 and said nothing"],
];

test("what the kernel and programs complain of is a failure with a next step", () => {
  for (const [program, code, stderr, expected] of recorded) {
    const { kind, sentence } = complaintOf(program, { code, stdout: "", stderr });
    assert.equal(`${kind}: ${sentence}`, expected);
  }
});
