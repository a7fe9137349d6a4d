import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Command, type Result, ResultSchema } from "../../gen/edge/v1/command_pb.ts";
import type { CommandDelivery, HubFrame } from "../../gen/edge/v1/control_pb.ts";
import { RuntimePhase } from "../../gen/edge/v1/runtimes_pb.ts";
import { failure } from "../../src/base/failure.ts";
import { type End, failuresAfter, pauseMs } from "../../src/daemon/control/plan.ts";
import { capabilities, capabilityOf } from "../../src/wire/commands.ts";
import { FakeNode, type Sent } from "../../test/fakes/node.ts";
import type { Identity } from "./identities.ts";
import type { Tally } from "./tally.ts";
import type { Turns } from "./turns.ts";

/** What is the same for all nodes of a share. */
export interface Habits {
  host?: string | undefined;
  port: number;
  /** Address to dial from. */
  from?: string | undefined;
  rootPem: string;
  /** How long a node takes for a command, in milliseconds. */
  answerMs: number;
  /** How many runtimes a node says that it has. */
  runtimes: number;
  /** Time between beats, in milliseconds; what the hub says when 0. */
  beatMs: number;
}

type Entry = Extract<Sent, { case: "report" }>["value"];
type Fact = NonNullable<Entry["entry"]>;
type Event = Extract<Fact, { case: "event" }>["value"];

/** Results that a node remembers, for a command that comes again. */
const remembered = 100;
/** How long the hub may take to say Welcome or Reject, in milliseconds: as the daemon. */
const welcomeMs = 20_000;

/**
 * A node without a daemon: a real line with its own certificate, beats, status, commands that are answered after a while,
 * reports that are kept in memory until the hub has them, and the daemon's own pauses between attempts.
 */
export class SimulatedNode {
  readonly nodeId: string;
  readonly #identity: Identity;
  readonly #habits: Habits;
  readonly #tally: Tally;
  readonly #turns: Turns;
  readonly #instanceId = crypto.randomUUID();
  #line: FakeNode | undefined;
  #isUp = false;
  #epoch = 0n;
  #failures = 0;
  #upAt = 0;
  #toldBeatMs = 0;
  #lastCommand = 0n;
  /** By command; undefined while it is being carried out. */
  readonly #results = new Map<string, Result | undefined>();
  #journal: { sequence: bigint; entry: Fact }[] = [];
  #lastReport = 0n;
  #beatTimer: NodeJS.Timeout | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #isOver = false;
  /** Whether it has the turn to connect. */
  #hasTurn = false;

  constructor(identity: Identity, habits: Habits, { tally, turns }: { tally: Tally; turns: Turns }) {
    this.nodeId = identity.nodeId;
    this.#identity = identity;
    this.#habits = habits;
    this.#tally = tally;
    this.#turns = turns;
    this.#journal.push({ sequence: ++this.#lastReport, entry: { case: "event", value: started() } });
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** Dials, and keeps the line until `end`. */
  dial(): void {
    this.#turns.take(() => {
      this.#hasTurn = true;
      if (this.#isOver) this.#giveTurn();
      else this.#connect();
    });
  }

  #giveTurn(): void {
    if (this.#hasTurn) this.#turns.give();
    this.#hasTurn = false;
  }

  #connect(): void {
    const { host, port, from, rootPem } = this.#habits;
    let end: End = { how: "lost", why: failure("unavailable", "the line broke") };
    const line = FakeNode.dial({
      ...{ port, from, rootPem, identity: this.#identity },
      ...(host !== undefined && { host }),
      onFrame: (frame) => {
        end = this.#take(frame) ?? end;
      },
    });
    this.#line = line;
    const late = setTimeout(() => line[Symbol.dispose](), welcomeMs);
    this.#beatTimer = late;
    line.hello({
      ...{
        sessionEpoch: ++this.#epoch,
        lastCommandSequence: this.#lastCommand,
        instanceId: this.#instanceId,
      },
      ...{ journalId: this.#instanceId, journalLastSequence: this.#lastReport },
      journalFirstSequence: this.#journal[0]?.sequence ?? this.#lastReport,
      ...{ daemonVersion: "simulated", hostName: this.nodeId, attempt: this.#failures + 1 },
      commands: capabilities.map((one) => one.case),
    });
    void line.ended.then(() => {
      line[Symbol.dispose]();
      this.#ended(end);
    });
  }

  /** Breaks the line, as a bad network does. */
  cut(): void {
    this.#line?.[Symbol.dispose]();
  }

  /** Says goodbye, and dials no more. */
  async end(): Promise<void> {
    this.#isOver = true;
    clearTimeout(this.#retryTimer);
    const line = this.#line;
    if (!line) return;
    if (this.#isUp) line.send({ case: "bye", value: { reason: "the simulation ends" } });
    await line.close();
  }

  #ended(end: End): void {
    this.#giveTurn();
    clearTimeout(this.#beatTimer);
    const upMs = this.#isUp ? performance.now() - this.#upAt : 0;
    this.#line = undefined;
    if (this.#isUp) this.#tally.down(this.nodeId);
    this.#isUp = false;
    if (this.#isOver) return;
    if (end.how === "rejected") this.#tally.rejected(end.reject.code);
    this.#failures = failuresAfter(this.#failures, { end, upMs });
    this.#retryTimer = setTimeout(() => this.dial(), pauseMs(end, this.#failures, Math.random));
  }

  /** How the line ends, when the frame says that it does. */
  #take({ body }: HubFrame): End | undefined {
    switch (body.case) {
      case "welcome":
        this.#welcomed(body.value.beatIntervalMs, body.value.reportsThrough);
        return undefined;
      case "command":
        this.#command(body.value);
        return undefined;
      case "reportsAck":
        this.#acknowledged(body.value.throughSequence);
        return undefined;
      case "pace":
        this.#beatEvery(body.value.beatIntervalMs);
        return undefined;
      case "reject":
        return { how: "rejected", reject: body.value };
      case "drain":
        this.cut();
        return { how: "drained", drain: body.value };
      default:
        return undefined;
    }
  }

  #welcomed(beatIntervalMs: number, reportsThrough: bigint): void {
    this.#giveTurn();
    this.#isUp = true;
    this.#upAt = performance.now();
    this.#tally.up(this.nodeId);
    this.#acknowledged(reportsThrough);
    this.#say({ case: "status", value: statusOf(this.#habits.runtimes) });
    for (const kept of this.#journal) this.#say({ case: "report", value: kept });
    this.#beatEvery(beatIntervalMs);
  }

  #acknowledged(through: bigint): void {
    this.#journal = this.#journal.filter(({ sequence }) => sequence > through);
  }

  /** Beats at the interval that its habits say now. */
  beatAnew(): void {
    if (this.#isUp) this.#beatEvery(this.#toldBeatMs);
  }

  #beatEvery(toldMs: number): void {
    this.#toldBeatMs = toldMs;
    const ms = this.#habits.beatMs || toldMs;
    const beat = () => {
      this.#say({ case: "beat", value: { sentAt: timestampFromMs(Date.now()), sample } });
      this.#tally.beats++;
      this.#beatTimer = setTimeout(beat, ms);
    };
    clearTimeout(this.#beatTimer);
    this.#beatTimer = setTimeout(beat, Math.random() * ms);
  }

  #command({ sequence, command }: CommandDelivery): void {
    if (!command) return;
    const { id } = command;
    if (sequence === 0n) {
      const result = resultOf(command);
      this.#say({ case: "report", value: { entry: { case: "result", value: result } } });
      return;
    }
    if (sequence > this.#lastCommand) this.#lastCommand = sequence;
    this.#say({ case: "commandsAck", value: { throughSequence: this.#lastCommand } });
    if (!this.#results.has(id)) {
      this.#results.set(id, undefined);
      setTimeout(() => this.#finish(command), this.#habits.answerMs);
      return;
    }
    const known = this.#results.get(id);
    if (known) this.#report(known);
  }

  #finish(command: Command): void {
    const result = resultOf(command);
    this.#results.set(command.id, result);
    const [oldest] = this.#results.keys();
    if (this.#results.size > remembered && oldest !== undefined) this.#results.delete(oldest);
    this.#tally.commands++;
    this.#report(result);
  }

  #report(result: Result): void {
    const entry: Fact = { case: "result", value: result };
    const kept = { sequence: ++this.#lastReport, entry };
    this.#journal.push(kept);
    if (this.#isUp) this.#say({ case: "report", value: kept });
  }

  #say(body: Sent): void {
    this.#line?.send(body);
  }
}

const sample = {
  cpuPercent: 12.5,
  load1m: 0.5,
  memoryUsedBytes: 1_000_000_000n,
  memoryTotalBytes: 4_000_000_000n,
  diskUsedBytes: 5_000_000_000n,
  diskTotalBytes: 32_000_000_000n,
  uptimeSeconds: 100_000n,
};

function started(): Event {
  return {
    at: timestampFromMs(Date.now()),
    reason: "the simulation began",
    fact: { case: "daemonStarted", value: { version: "simulated", bootId: "simulated" } },
  };
}

function statusOf(runtimes: number) {
  return {
    engineReachable: true,
    runtimes: Array.from({ length: runtimes }, (_, at) => ({
      name: `line-${at + 1}`,
      phase: RuntimePhase.RUNNING,
      reason: "its container runs",
      image: "registry.example/plc/runtime:4.2",
    })),
  };
}

/** Success with an empty answer, whatever was asked. */
function resultOf(command: Command): Result {
  const known = capabilityOf(command);
  const result = create(ResultSchema, { commandId: command.id, finishedAt: timestampFromMs(Date.now()) });
  // The contract has the method's output as the case of the same name, which a test checks.
  if (known) result.outcome = { case: known.case, value: create(known.method.output) } as Result["outcome"];
  return result;
}
