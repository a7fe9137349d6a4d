import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** One instruction of a classic BPF program, as the kernel has it. */
export interface Instruction {
  code: number;
  jt: number;
  jf: number;
  k: number;
}

/** What a filter looks at: one system call. */
export interface Call {
  nr: number;
  arch: number;
  args?: readonly number[];
}

/** Its words: how a filter is read out of a process that has one. Root of the machine may. */
const readFilters = `
  my ($pid, $ptrace) = map { $_ + 0 } @ARGV;
  syscall($ptrace, 16, $pid, 0, 0) == 0 or die "attach: $!";
  waitpid($pid, 0x40000000);
  for (my $i = 0; ; $i++) {
    my $program = "\\0" x 32768;
    my $count = syscall($ptrace, 0x420c, $pid, $i, $program);
    last if $count < 0;
    print unpack("H*", substr($program, 0, $count * 8)), "\\n";
  }
  syscall($ptrace, 17, $pid, 0, 0);`;

/** The seccomp filters of a process, the one that it got first, first. */
export async function filtersOf(pid: number): Promise<Instruction[][]> {
  const ptrace = process.arch === "arm64" ? "117" : "101";
  const read = await promisify(execFile)("perl", ["-e", readFilters, String(pid), ptrace]);
  return read.stdout
    .trim()
    .split("\n")
    .map((line) => parsed(Buffer.from(line, "hex")));
}

/** The program in these bytes. */
export function parsed(bytes: Buffer): Instruction[] {
  return Array.from({ length: bytes.length / 8 }, (_, i) => ({
    ...{ code: bytes.readUInt16LE(i * 8), jt: bytes.readUInt8(i * 8 + 2), jf: bytes.readUInt8(i * 8 + 3) },
    k: bytes.readUInt32LE(i * 8 + 4),
  }));
}

/** What a filter says to a system call. @param onArgument called when it looks at an argument, and not only at which call it is. */
export function verdictOn(
  program: readonly Instruction[],
  { nr, arch, args = [] }: Call,
  onArgument?: () => void,
): number {
  const words = [nr, arch, 0, 0, ...args.flatMap((arg) => [arg >>> 0, 0])];
  let a = 0;
  for (let at = 0; ; at++) {
    const one = program[at];
    if (!one) throw new Error("a filter without an end");
    const { code, jt, jf, k } = one;
    const jump = (is: boolean) => {
      at += is ? jt : jf;
    };
    if (code === 0x20) {
      a = words[k / 4] ?? 0;
      if (k >= 16) onArgument?.();
    } else if (code === 0x54) a = (a & k) >>> 0;
    else if (code === 0x05) at += k;
    else if (code === 0x15) jump(a === k);
    else if (code === 0x25) jump(a > k);
    else if (code === 0x35) jump(a >= k);
    else if (code === 0x45) jump((a & k) !== 0);
    else if (code === 0x06) return k;
    else throw new Error(`instruction ${code.toString(16)} is not known here`);
  }
}
