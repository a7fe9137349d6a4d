import { allowedCalls } from "./allowed.ts";
import { commonSockets, newNamespaceFlags, refusedCalls } from "./refused.ts";

interface Rule {
  names: readonly string[];
  action: string;
  errnoRet?: number;
  args?: readonly { index: number; value: number; valueTwo?: number; op: string }[];
}

/** Those that programs are built for; any other would make addresses guessable. The last asks only. */
const personalities = [0, 8, 0x2_0000, 0x2_0008, 0xffff_ffff];
const noSuchCall = 38;

/**
 * The seccomp profile of cells, in the engine's format. What is not named is refused.
 *
 * What our own filter refuses and tells must not be refused by the engine's: of two filters the kernel follows the stricter, and a
 * refusal is stricter than a question. So it is TRACE here, which is less strict than a question and yet no permission: without a
 * tracer the kernel refuses the call (ENOSYS), and nobody can become a tracer, because ptrace is one of these calls. So a program that has
 * no filter of ours, as one of `docker exec`, can do nothing that the engine's own profile would not let it.
 */
export function seccompProfile(): string {
  const always = refusedCalls.filter(({ only }) => !only).map(({ name }) => name);
  const syscalls: Rule[] = [
    { names: allowedCalls, action: allow },
    ...personalities.map((value) => when("personality", allow, { index: 0, value, op: "SCMP_CMP_EQ" })),
    ...Object.values(commonSockets).map((value) =>
      when("socket", allow, { index: 0, value, op: "SCMP_CMP_EQ" }),
    ),
    when("socket", trace, { index: 0, value: Math.max(...Object.values(commonSockets)), op: "SCMP_CMP_GT" }),
    when("clone", allow, { index: 0, value: sum(newNamespaceFlags), valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }),
    ...newNamespaceFlags.map((flag) =>
      when("clone", trace, { index: 0, value: flag, valueTwo: flag, op: "SCMP_CMP_MASKED_EQ" }),
    ),
    // C libraries make threads another way then, whose flags a filter can see.
    { names: ["clone3"], action: refuse, errnoRet: noSuchCall },
    { names: always, action: trace },
  ];
  return JSON.stringify({ defaultAction: refuse, defaultErrnoRet: 1, archMap, syscalls });
}

const [allow, trace, refuse] = ["SCMP_ACT_ALLOW", "SCMP_ACT_TRACE", "SCMP_ACT_ERRNO"];

const archMap = [
  { architecture: "SCMP_ARCH_X86_64", subArchitectures: ["SCMP_ARCH_X86", "SCMP_ARCH_X32"] },
  { architecture: "SCMP_ARCH_AARCH64", subArchitectures: ["SCMP_ARCH_ARM"] },
];

function when(name: string, action: string, argument: NonNullable<Rule["args"]>[number]): Rule {
  return { names: [name], action, args: [argument] };
}

function sum(flags: readonly number[]): number {
  return flags.reduce((all, one) => all | one);
}
