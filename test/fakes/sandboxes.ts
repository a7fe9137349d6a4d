import { type ChildProcess, spawn } from "node:child_process";
import { create } from "@bufbuild/protobuf";
import { timestampNow } from "@bufbuild/protobuf/wkt";
import { type LogLine, LogLineSchema, LogStream } from "../../gen/edge/v1/runtimes_pb.ts";
import { failure } from "../../src/base/failure.ts";
import { aborted } from "../../src/base/tasks.ts";
import type { Cell, CellAsk, CellEnd, CellLog, FoundCell } from "../../src/daemon/sandbox/index.ts";
import type { CellHost } from "../../src/daemon/tasks/cell-host.ts";

interface FakeCell extends FoundCell {
  ask: CellAsk;
  program: ChildProcess;
  output: Buffer[];
  lines: LogLine[];
  end: Promise<number>;
  exitCode?: number;
}

/**
 * Cells that are plain processes of this machine, without any confinement: they run the same commands, wait for their input, obey the
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
    const { id, agent, version, commandId, spec } = ask;
    const [command = "true", ...args] = spec.command;
    const env = Object.fromEntries(spec.env.map(({ name, value }) => [name, value]));
    const program = spawn(command, args, { env: { PATH: process.env.PATH ?? "", ...env }, detached: true });
    program.stdin.on("error", () => {}); // It need not read.
    const output: Buffer[] = [];
    const lines: LogLine[] = [];
    for (const [stream, name] of [
      ["stdout", LogStream.STDOUT],
      ["stderr", LogStream.STDERR],
    ] as const) {
      program[stream].on("data", (piece: Buffer) => {
        if (stream === "stdout") output.push(piece);
        for (const text of piece.toString().replace(/\n$/, "").split("\n")) {
          lines.push(create(LogLineSchema, { stream: name, text, at: timestampNow() }));
        }
      });
    }
    const end = new Promise<number>((resolve) => {
      program.on("close", (code, name) => resolve(code ?? (name === "SIGKILL" ? 137 : 143)));
    });
    const cell: FakeCell = {
      ...{ id, agent, version, commandId, ask, program, output, lines, end },
      ...{ containerId: `fake-${++this.#made}`, isRunning: true },
    };
    void end.then((code) => Object.assign(cell, { exitCode: code, isRunning: false }));
    this.cells.set(id, cell);
    return { id, agent, version, containerId: cell.containerId };
  }

  async give({ id }: Cell, input: Uint8Array): Promise<void> {
    this.#mustBeThere();
    this.#known(id).program.stdin?.end(input);
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
      ...{ outOfMemory: false, output, outputCut: output.length < all.length, incidents: [] },
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

function signalGroup({ program }: FakeCell, name: NodeJS.Signals): void {
  try {
    if (program.pid !== undefined) process.kill(-program.pid, name);
  } catch {
    // All of it has ended.
  }
}
