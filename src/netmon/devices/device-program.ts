import type { DeviceNumber } from "../../wire/device-path.ts";
import type { Access } from "./group.ts";

/** A device that a program lets through, before it asks the program that was there. */
export interface Passage {
  readonly number: DeviceNumber;
  readonly access: Access;
}

/** Bytes of one instruction, and instructions by which one device is let through. */
const [instructionBytes, passageLength] = [8, 13];

/** The kernel's numbers (linux/bpf.h): what a program is told of, and what is asked for in the upper half. */
const kinds = { b: 1, c: 2 } as const;
const accesses = { r: 2, rw: 6 } as const;

/** Registers: what is returned, what the program is told, and one that it may use. */
const [result, told, work, work2] = [0, 1, 2, 3];

/**
 * An eBPF program of the kind BPF_PROG_TYPE_CGROUP_DEVICE that lets some devices through and asks another one about the rest. It
 * is told of the access, the major and the minor number in 32 bits each, and returns whether it is allowed.
 */
export function withPassages(passages: readonly Passage[], rest: Buffer): Buffer {
  return Buffer.concat([...passages.map(passageOf), rest]);
}

/** The two halves of such a program again, as the kernel shows it. */
export function splitProgram(program: Buffer): { passages: Passage[]; rest: Buffer } {
  const passages: Passage[] = [];
  const bytes = passageLength * instructionBytes;
  let rest = program;
  for (;;) {
    const passage = passageIn(rest.subarray(0, bytes));
    if (!passage) return { passages, rest };
    passages.push(passage);
    rest = rest.subarray(bytes);
  }
}

function passageOf({ number, access }: Passage): Buffer {
  const unless = (register: number, value: number, at: number) =>
    instruction(0x55, register, 0, passageLength - 1 - at, value);
  return Buffer.concat([
    instruction(0x61, work, told, 0, 0), // What is asked for, and of which kind.
    instruction(0xbf, work2, work, 0, 0),
    instruction(0x57, work2, 0, 0, 0xffff),
    unless(work2, kinds[number.kind], 3),
    instruction(0x77, work, 0, 0, 16),
    instruction(0x57, work, 0, 0, ~accesses[access]), // Nothing beyond what is given.
    unless(work, 0, 6),
    instruction(0x61, work, told, 4, 0),
    unless(work, number.major, 8),
    instruction(0x61, work, told, 8, 0),
    unless(work, number.minor, 10),
    instruction(0xb7, result, 0, 0, 1),
    instruction(0x95, 0, 0, 0, 0),
  ]);
}

/** The passage that these instructions are; undefined when they are something else. */
function passageIn(bytes: Buffer): Passage | undefined {
  if (bytes.length < passageLength * instructionBytes) return undefined;
  const valueAt = (at: number) => bytes.readInt32LE(at * instructionBytes + 4);
  const kind = valueAt(3) === kinds.b ? "b" : "c";
  const access = ~valueAt(5) === accesses.r ? "r" : "rw";
  const passage: Passage = { number: { kind, major: valueAt(8), minor: valueAt(10) }, access };
  return passageOf(passage).equals(bytes) ? passage : undefined;
}

function instruction(code: number, to: number, from: number, offset: number, value: number): Buffer {
  const bytes = Buffer.alloc(instructionBytes);
  bytes.writeUInt8(code, 0);
  bytes.writeUInt8(to | (from << 4), 1);
  bytes.writeInt16LE(offset, 2);
  bytes.writeInt32LE(value | 0, 4);
  return bytes;
}
