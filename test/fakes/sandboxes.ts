import { type ChildProcess, spawn } from "node:child_process";
import { create } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { type LogLine, LogLineSchema, LogStream } from "../../gen/edge/v1/runtimes_pb.ts";
import { failure } from "../../src/base/failure.ts";
import { aborted } from "../../src/base/tasks.ts";
import {
  type Cell,
  type CellAsk,
  type CellEnd,
  type CellLog,
  type FoundCell,
  noInputCode,
  noInputLine,
} from "../../src/daemon/sandbox/index.ts";
import type { CellHost } from "../../src/daemon/tasks/cell-host.ts";

interface FakeCell extends FoundCell {
  ask: CellAsk;
  /** From the beginning in a cell that is made ahead, in others from their input on. */
  program?: ChildProcess;
  output: Buffer[];
  lines: LogLine[];
  end: Promise<number>;
  finish(exitCode: number): void;
}

/**
 * Cells that are plain processes of this machine, without any confinement: they run the same commands when real ones do, obey the
 * same signals, and outlive a life of the daemon. `test/daemon/tasks/tasks.suite.ts` runs on them and on real cells.
 */
export class FakeSandboxes implements CellHost, AsyncDisposable {
  readonly cells = new Map<string, FakeCell>();
  /** Set, nothing can be asked: the engine is away. */
  isAway = false;
  /** Starts wait for it. */
  startsWhen: Promise<void> = Promise.resolve();
  #made = 0;

  async start(ask: CellAsk, signal: AbortSignal): Promise<Cell> {
    this.#mustBeThere();
    await Promise.race([this.startsWhen, aborted(signal)]);
    signal.throwIfAborted();
    const { id, agent, version, commandId } = ask;
    const { promise: end, resolve: finish } = Promise.withResolvers<number>();
    const cell: FakeCell = {
      ...{ id, agent, version, commandId, ask, output: [], lines: [], end, finish },
      ...{ containerId: `fake-${++this.#made}`, isRunning: true },
    };
    void end.then(() => Object.assign(cell, { isRunning: false }));
    this.cells.set(id, cell);
    if (commandId === "") run(cell);
    return { id, agent, version, containerId: cell.containerId };
  }

  async give({ id }: Cell, input: Uint8Array): Promise<void> {
    this.#mustBeThere();
    const cell = this.#known(id);
    if (!cell.isRunning) throw failure("unavailable", "it has ended");
    (cell.program ?? run(cell)).stdin?.end(input);
  }

  async ended({ id }: Cell, signal: AbortSignal): Promise<CellEnd> {
    this.#mustBeThere();
    const cell = this.cells.get(id);
    const exitCode = cell && (await Promise.race([cell.end, aborted(signal)]));
    signal.throwIfAborted();
    const { maxIoBytes = 0 } = cell?.ask.spec ?? {};
    const all = Buffer.concat(cell?.output ?? []);
    const output = all.subarray(0, maxIoBytes || 1 << 20);
    return {
      ...(exitCode !== undefined && { exitCode }),
      ...{ isCutOff: false, outOfMemory: false, incidents: [] },
      ...{ output, outputCut: output.length < all.length },
      usage: { cpuMs: 1, memoryPeakBytes: 0 },
    };
  }

  async stop({ id }: Cell, graceMs: number, signal: AbortSignal): Promise<void> {
    this.#mustBeThere();
    const cell = this.cells.get(id);
    if (!cell?.isRunning) return;
    signalGroup(cell, "SIGTERM");
    const late = setTimeout(() => signalGroup(cell, "SIGKILL"), graceMs);
    await Promise.race([cell.end, aborted(signal)]);
    clearTimeout(late);
    signal.throwIfAborted();
  }

  async remove({ id }: Cell): Promise<void> {
    this.#mustBeThere();
    const cell = this.cells.get(id);
    if (cell?.isRunning) signalGroup(cell, "SIGKILL");
    await cell?.end;
    this.cells.delete(id);
  }

  async logs({ id }: Cell): Promise<CellLog> {
    this.#mustBeThere();
    return { lines: [...(this.cells.get(id)?.lines ?? [])], leftOut: false };
  }

  async found(): Promise<FoundCell[]> {
    this.#mustBeThere();
    return [...this.cells.values()];
  }

  list(): Promise<FoundCell[]> {
    return this.found();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.isAway = false;
    for (const cell of [...this.cells.values()]) await this.remove(cell);
  }

  #known(id: string): FakeCell {
    const cell = this.cells.get(id);
    if (!cell) throw failure("not_found", `cell ${id} is not one that waits for input`);
    return cell;
  }

  #mustBeThere(): void {
    if (this.isAway) throw failure("unavailable", "the engine cannot be reached");
  }
}

/** Starts its program, which sees folders of the node where they are. */
function run(cell: FakeCell): ChildProcess {
  const { command: words, env: added, mounts } = cell.ask.spec;
  const [command = "true", ...args] = words.map((word) =>
    mounts.reduce((all, { path, nodePath }) => all.replaceAll(path, nodePath), word),
  );
  const env = Object.fromEntries(added.map(({ name, value }) => [name, value]));
  const program = spawn(command, args, { env: { PATH: process.env.PATH ?? "", ...env }, detached: true });
  program.stdin.on("error", () => {}); // It need not read.
  for (const [stream, name] of [
    ["stdout", LogStream.STDOUT],
    ["stderr", LogStream.STDERR],
  ] as const) {
    program[stream].on("data", (piece: Buffer) => {
      if (stream === "stdout") cell.output.push(piece);
      for (const text of piece.toString().replace(/\n$/, "").split("\n")) say(cell, name, text);
    });
  }
  program.on("close", (code, name) => cell.finish(code ?? (name === "SIGKILL" ? 137 : 143)));
  cell.program = program;
  return program;
}

function say({ lines }: FakeCell, stream: LogStream, text: string): void {
  lines.push(create(LogLineSchema, { stream, text, at: timestampNow() }));
}

/** Signals all of its processes; a cell without any ends. */
function signalGroup(cell: FakeCell, name: NodeJS.Signals): void {
  const { program, finish } = cell;
  if (!program) {
    say(cell, LogStream.STDERR, noInputLine);
    finish(noInputCode);
    return;
  }
  try {
    if (program.pid !== undefined) process.kill(-program.pid, name);
  } catch {
    // All of it has ended.
  }
}
