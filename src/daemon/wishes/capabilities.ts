import type { RuntimeSpec } from "../../../gen/edge/v1/runtimes_pb.ts";
import { evidence } from "../../base/evidence.ts";
import { type FieldViolation, refusedFields } from "../../base/failure.ts";
import { list } from "../../base/setting-kinds.ts";
import type { Setting } from "../../base/settings.ts";

/** All of Linux, by their numbers: see capabilities(7). */
const known: readonly string[] = [
  ...["CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP"],
  ...[
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
  ],
  ...[
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
  ],
  ...[
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
  ],
  ...["MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF"],
  "CHECKPOINT_RESTORE",
];

/**
 * What a spec may add when the node's owner said nothing: what the engine gives anyway and a soft PLC needs by name, and what
 * real-time work needs. None of them reaches beyond the container. `NET_ADMIN` is not among them: on a LAN it lets a program
 * take any address.
 */
export const usualCapabilities: readonly string[] = ["NET_BIND_SERVICE", "NET_RAW", "SYS_NICE", "IPC_LOCK"];

/** `policy.capabilities` */
export function capabilitiesSetting(of: {
  default: readonly string[];
  doc: string;
}): Setting<readonly string[]> {
  return list({
    ...of,
    isItem: (name) => known.includes(name),
    ...{ most: Number.POSITIVE_INFINITY, isNoneAllowed: true },
    allowed: "a list of capabilities without CAP_, as in NET_ADMIN",
  });
}

/** Capabilities that there are not, and those that are named twice. */
export function wrongCapabilities({ capabilities }: RuntimeSpec): FieldViolation[] {
  return capabilities.flatMap((name, index) => {
    const field = `spec.capabilities[${index}]`;
    const before = capabilities.indexOf(name);
    if (before < index)
      return [{ field, message: `${evidence(name)} is already spec.capabilities[${before}]` }];
    // What breaks the contract's rule has a violation already.
    if (known.includes(name) || !/^[A-Z][A-Z_]{2,31}$/.test(name)) return [];
    return [{ field, message: `${name} is no capability of Linux: see capabilities(7)` }];
  });
}

/** @throws {Failure} denied: what the node's owner does not allow. */
export function checkAllowed({ capabilities }: RuntimeSpec, allowed: readonly string[]): void {
  const list = allowed.length === 0 ? "none" : allowed.join(", ");
  const setting = `on this node, whose setting policy.capabilities allows ${list}`;
  const violations = capabilities.flatMap((name, index) =>
    allowed.includes(name)
      ? []
      : [{ field: `spec.capabilities[${index}]`, message: `${name} is not allowed ${setting}` }],
  );
  if (violations.length > 0) throw refusedFields("denied", violations);
}
