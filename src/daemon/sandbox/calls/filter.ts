import {
  commonSockets,
  type Machine,
  machines,
  type Only,
  type RefusedCall,
  refusedCalls,
} from "./refused.ts";

/** Instructions of classic BPF, as far as a filter of system calls needs them. */
const code = { load: 0x20, and: 0x54, jump: 0x05, equal: 0x15, atLeast: 0x35, anyBit: 0x45, end: 0x06 };
interface Instruction {
  code: number;
  value: number;
  /** How many are left out when it is so, and when it is not. */
  yes?: number;
  no?: number;
}

/** Where a filter finds what it looks at. */
const at = { number: 0, machine: 4, argument: (index: number) => 16 + 8 * index };

/** SECCOMP_RET_USER_NOTIF: whoever listens is asked, and the program waits. SECCOMP_RET_ALLOW. */
const ask: Instruction = { code: code.end, value: 0x7fc0_0000 };
const open: Instruction = { code: code.end, value: 0x7fff_0000 };

/** Calls of x32 have this bit in their number. No program that is of any use needs them. */
const x32 = 0x4000_0000;

/** Machines whose programs run on a node: of its own kind, and those of 32 bits. */
const kinds: Readonly<Record<string, { own: Machine; small: Machine }>> = {
  x64: { own: "x64", small: "i386" },
  arm64: { own: "arm64", small: "arm" },
};

/**
 * The filter that the first process of a cell puts before itself and all that come from it: `refusedCalls` are asked about, all else is
 * left to the engine's own filter.
 */
export function filterOf(machine: string = process.arch): Buffer {
  const kind = kinds[machine];
  if (!kind) return Buffer.alloc(0); // There is no first process for it either.
  const own = [
    { code: code.load, value: at.number },
    ...(kind.own === "x64" ? [{ code: code.atLeast, value: x32, yes: 0, no: 1 }, ask] : []),
    ...refusedCalls.flatMap((call) => refusal(call, kind.own)),
    open,
  ];
  const program = [
    { code: code.load, value: at.machine },
    { code: code.equal, value: machines[kind.own], yes: 3, no: 0 },
    ...[{ code: code.equal, value: machines[kind.small], yes: 1, no: 0 }, ask],
    { code: code.jump, value: own.length },
    ...own,
    { code: code.load, value: at.number },
    ...refusedCalls.flatMap((call) => refusal(call, kind.small)),
    open,
  ];
  return Buffer.concat(program.map(bytesOf));
}

/** Asks about a call; goes on with what comes behind when it is another. */
function refusal({ numbers, only }: RefusedCall, machine: Machine): Instruction[] {
  if (numbers[machine] < 0) return [];
  const body = only ? condition(only) : [ask];
  return [{ code: code.equal, value: numbers[machine], yes: 0, no: body.length }, ...body];
}

function condition(only: Only): Instruction[] {
  switch (only.is) {
    case "flags":
      return [
        { code: code.load, value: at.argument(0) },
        { code: code.anyBit, value: only.flags, yes: 0, no: 1 },
        ...[ask, open],
      ];
    case "device":
      return [
        { code: code.load, value: at.argument(only.argument) },
        { code: code.and, value: 0o170000 },
        { code: code.equal, value: 0o020000, yes: 1, no: 0 }, // Of characters,
        { code: code.equal, value: 0o060000, yes: 0, no: 1 }, // or of blocks.
        ...[ask, open],
      ];
    case "socket":
      return [
        { code: code.load, value: at.argument(0) },
        { code: code.equal, value: commonSockets.unix, yes: 8, no: 0 },
        // Its raw kind is what C libraries use, and may no more than the other.
        { code: code.equal, value: commonSockets.netlink, yes: 7, no: 0 },
        { code: code.equal, value: commonSockets.inet, yes: 1, no: 0 },
        { code: code.equal, value: commonSockets.inet6, yes: 0, no: 4 },
        { code: code.load, value: at.argument(1) },
        { code: code.and, value: 0xf }, // Without SOCK_NONBLOCK and SOCK_CLOEXEC.
        { code: code.equal, value: 3, yes: 1, no: 0 }, // SOCK_RAW
        { code: code.equal, value: 10, yes: 0, no: 1 }, // SOCK_PACKET
        ...[ask, open],
      ];
  }
}

function bytesOf({ code, value, yes = 0, no = 0 }: Instruction): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt16LE(code, 0);
  bytes.writeUInt8(yes, 2);
  bytes.writeUInt8(no, 3);
  bytes.writeUInt32LE(value >>> 0, 4);
  return bytes;
}
