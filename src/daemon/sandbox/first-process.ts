import { failure } from "../../base/failure.ts";
import { programs } from "./init/programs.ts";

/** The program that is the first process of every cell: see init/init.c. @throws {Failure} unsupported: not on this machine. */
export function firstProcess(machine: string = process.arch): Buffer {
  const program = programs[machine];
  if (program !== undefined) return Buffer.from(program, "base64");
  const known = Object.keys(programs).join(" and ");
  throw failure("unsupported", `agents cannot run on ${machine} machines: there are cells for ${known} only`);
}

/** How many bytes a secret between us and the first process of one cell has. */
export const secretBytes = 8;

/** What a first process is told before anything else. */
export interface Opening {
  /** Whether it starts the program at once. Otherwise with its input: it never runs when that does not come whole. */
  isAhead: boolean;
  /** The filter of system calls that it puts before the program; empty for none. */
  filter: Uint8Array;
}

/** The same as bytes. The program never learns the secret. */
export function opening(secret: Uint8Array, { isAhead, filter }: Opening): Buffer {
  const size = Buffer.alloc(2);
  size.writeUInt16LE(filter.length / 8);
  return Buffer.concat([Buffer.from(isAhead ? "warm" : "cold"), secret, size, filter]);
}

/** A task's input, as the first process takes it: nothing of it counts before all of it has come. */
export function framed(input: Uint8Array): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32LE(input.length);
  return Buffer.concat([head, input]);
}

/** How a cell ends whose program never had anything of its input, and what its first process writes to standard error then. */
export const noInputCode = 125;
export const noInputLine =
  "orchestrator: its input did not come whole: it is ended without having had any of it";

/** A line of the first process that is for us only, behind what the program may have begun to write. */
const ownLine = /orchestrator-(end|refused) ([0-9a-f]{16}) (.*)$/;

/** What the first process said of itself, in a line of its standard error that has its secret. */
export interface Said {
  /** At once; otherwise in the end. */
  isAtOnce: boolean;
  text: string;
}

/** What the first process said in this line; undefined when it is a line of somebody else, however it looks. */
export function saidIn(line: string, secret: Uint8Array): Said | undefined {
  const [, kind, by, text = ""] = ownLine.exec(line) ?? [];
  return by === Buffer.from(secret).toString("hex") ? { isAtOnce: kind === "refused", text } : undefined;
}

/** A line for others to read: without what looks as if the first process had said it to us; undefined when nothing is left. */
export function readable(line: string): string | undefined {
  const at = line.search(ownLine);
  return at === 0 ? undefined : at < 0 ? line : line.slice(0, at);
}

/** System calls of one kind that were refused to a cell's programs. */
export interface RefusedCalls {
  /** The kernel's word for the machine that the program was made for, and the number of the call there. */
  machine: number;
  call: number;
  count: number;
  /** The first program that made it, as it calls itself. */
  by: string;
}

/** The refusals that one line of the first process tells of. */
export function refusedIn({ text }: Pick<Said, "text">): RefusedCalls | undefined {
  const [, machine, call, count, by = ""] = /^refused (\d+) (\d+) (\d+) ?(.*)$/.exec(text) ?? [];
  if (machine === undefined) return undefined;
  return { machine: Number(machine), call: Number(call), count: Number(count), by };
}

/** What the kernel counted of a cell in all, and what was full in the end. */
export interface Counted {
  cpuMs: number;
  memoryPeakBytes: number;
  /** Times that a process was killed for want of memory. */
  oomKills: number;
  /** Times that a process could not be made. */
  pidsRefused: number;
  /** File systems in memory. */
  full: string[];
  /** Of each kind that was refused more than once, how often in all. */
  refused: RefusedCalls[];
}

/** What the first process said in the end. */
export function countedIn(said: readonly Said[]): Counted {
  const counted: Counted = {
    ...{ cpuMs: 0, memoryPeakBytes: 0, oomKills: 0, pidsRefused: 0 },
    ...{ full: [], refused: [] },
  };
  for (const one of said.filter(({ isAtOnce }) => !isAtOnce)) {
    const refused = refusedIn(one);
    if (refused) counted.refused.push(refused);
    const [what = "", ...words] = one.text.trim().split(" ");
    const [first = ""] = words;
    const figure = (name: string) => Number(words[words.indexOf(name) + 1] ?? 0);
    if (what === "full") counted.full.push(first);
    else if (what.endsWith("/cpuacct.usage")) counted.cpuMs = Math.round(Number(first) / 1e6);
    else if (what.endsWith("/cpu.stat")) counted.cpuMs = Math.round(figure("usage_usec") / 1e3);
    else if (what.endsWith("/pids.events")) counted.pidsRefused = figure("max");
    else if (/memory\.(oom_control|events)$/.test(what)) counted.oomKills = figure("oom_kill");
    else if (/memory\.(peak|max_usage_in_bytes)$/.test(what)) counted.memoryPeakBytes = Number(first);
  }
  return counted;
}
