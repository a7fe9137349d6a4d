import { create } from "@bufbuild/protobuf";
import type { Command, Result } from "../../../gen/edge/v1/command_pb.ts";
import { DrainSchema, type Hello, type NodeFrame, type Renewal } from "../../../gen/edge/v1/control_pb.ts";
import type { Clock } from "../../base/clock.ts";
import { failure } from "../../base/failure.ts";
import type { Logger } from "../../base/log.ts";
import { checkCommand } from "../../wire/commands.ts";
import { defaultBeatMs } from "../../wire/limits.ts";
import type { Commands } from "../commands/index.ts";
import type { ServerCertificate, Trusting } from "../enrolment/index.ts";
import type { Fleet } from "../fleet/index.ts";
import type { Replicas } from "../replicas/index.ts";
import type { Reports } from "../reports/index.ts";
import { admission, superseded } from "./admission.ts";
import { Door, type DoorOptions, type Listener, type NodeStream, type Visitor } from "./door.ts";
import { aboutToStop, Gate } from "./gate.ts";
import { beatMsFor, rhythmFor, Turnstile, usualPerSecond } from "./pace.ts";
import { readElsewhere, serveReads } from "./remote.ts";
import { answerRenewal, isUpToDate, type Renew, renewalWanted } from "./renewal.ts";
import { Session } from "./session.ts";
import { welcomeOf } from "./welcome.ts";

export interface LineOptions {
  /** Address to listen at; `::` for all. */
  host: string;
  /** 0 takes any free port: see `Line.port`. */
  port: number;
  roots: Trusting;
  certificate: Pick<ServerCertificate, "current" | "onChange">;
  fleet: Fleet;
  commands: Commands;
  reports: Reports;
  /** The other replicas of this hub, if there are any. */
  replicas?: Replicas | undefined;
  clock: Clock;
  log: Logger;
  /** Issues a node's next certificate; without it, nodes are told not to ask. */
  renew?: Renew | undefined;
  /** How long after its end a certificate may still be renewed, in milliseconds. */
  renewalGraceMs?: number;
  /** Time between beats of a small fleet, in milliseconds. */
  beatMs?: number;
  /** Streams that are let in within a second; the others are told to come back. */
  acceptPerSecond?: number;
  /** Uniform in [0, 1). */
  random?: () => number;
  /** Where nodes come in; gRPC over TLS when absent. */
  openDoor?: (options: DoorOptions) => Promise<Listener>;
}

/** How long the hub's end waits for nodes to go, in milliseconds. */
const drainMs = 5_000;

/** The listener and its sessions. */
export class Line implements AsyncDisposable {
  readonly #options: LineOptions;
  readonly #beatMs: number;
  readonly #acceptPerSecond: number;
  readonly #gate: Gate;
  /** All streams, also those that have said nothing yet and those that are being rejected. */
  readonly #streams = new Set<Session>();
  /** The newest stream of each node: the only one that is served. */
  readonly #newest = new Map<string, Session>();
  #door: Listener | undefined;
  readonly #stopServing: (() => void)[] = [];
  #drained: PromiseWithResolvers<void> | undefined;
  readonly #stopping = new AbortController();

  private constructor(options: LineOptions) {
    this.#options = options;
    this.#beatMs = options.beatMs ?? defaultBeatMs;
    this.#acceptPerSecond = options.acceptPerSecond ?? usualPerSecond;
    const { fleet, clock, log, renew, renewalGraceMs = 0, random = Math.random } = options;
    this.#gate = new Gate({
      ...{ fleet, clock, log, stopping: this.#stopping.signal },
      turnstile: new Turnstile({ perSecond: this.#acceptPerSecond, random }),
      renewalGraceMs: renew ? renewalGraceMs : 0,
      awayMs: () => (this.#drained ? this.#spreadMs() : undefined),
    });
    fleet.witnessRemovals({
      cut: (nodeId) => this.#newest.get(nodeId)?.reject(this.#gate.farewell(nodeId)),
      oust: (nodeId) => this.#newest.get(nodeId)?.reject(superseded()),
    });
  }

  /** Listens when it resolves. Fails as `listen` of base does. */
  static async open(options: LineOptions): Promise<Line> {
    const line = new Line(options);
    const { replicas } = options;
    if (replicas) line.#stopServing.push(serveReads(replicas, (...asked) => line.#readHere(...asked)));
    line.#stopServing.push(
      options.roots.onChange(() => {
        for (const session of line.#newest.values()) line.#wantRenewal(session, []);
      }),
    );
    const openDoor = options.openDoor ?? Door.open;
    line.#door = await openDoor({
      ...options,
      onStream: (stream, visitor) => line.#arrive(stream, visitor),
    });
    return line;
  }

  /** Where it listens. */
  get port(): number {
    return this.#door?.port ?? 0;
  }

  /** Nodes that are connected. */
  get connected(): number {
    return this.#newest.size;
  }

  /** Beats, and cuts the lines of nodes that are not heard, until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const tickMs = Math.min(1000, Math.max(20, this.#beatMs / 5));
    while (!signal.aborted) {
      this.#tick();
      await this.#options.clock.sleep(tickMs, signal).catch((thrown: unknown) => {
        if (!signal.aborted) throw thrown;
      });
    }
  }

  /**
   * Asks a connected node for something that changes nothing; neither kept nor repeated.
   * @throws {Failure} not_found: the node. invalid, unsupported: the command. unavailable: the node is away, or went away.
   * exhausted: too many reads of it at once. deadline: no answer within the command's budget. Rejects with the signal's
   * reason.
   */
  async read(nodeId: string, command: Command, signal: AbortSignal): Promise<Result> {
    checkCommand(command, "this hub");
    const { fleet, replicas } = this.#options;
    fleet.mustHave(nodeId);
    signal.throwIfAborted();
    const owner = this.#newest.has(nodeId) ? undefined : fleet.ownerElsewhere(nodeId);
    if (!replicas || owner === undefined) return await this.#readHere(nodeId, command, signal);
    return await readElsewhere(replicas, { owner, nodeId, command }, signal);
  }

  /** Lets nobody in any more, tells all nodes to come back later, and resolves when they are gone or 5 seconds are over. */
  async drain(reason: string): Promise<void> {
    this.#door?.close();
    this.#drained = Promise.withResolvers<void>();
    this.#stopping.abort();
    const spreadMs = this.#spreadMs();
    for (const session of this.#newest.values()) {
      if (session.isOpen) session.drain(create(DrainSchema, { spreadMs, reason }));
      else session.reject(aboutToStop(spreadMs));
    }
    if (this.#newest.size === 0) return;
    const waiting = new AbortController();
    await Promise.race([
      this.#drained.promise,
      this.#options.clock.sleep(drainMs, waiting.signal).catch(() => {}),
    ]);
    waiting.abort();
  }

  /** Cuts what is left and frees the port. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    for (const stop of this.#stopServing) stop();
    for (const session of [...this.#streams]) session.cut("the hub stops");
    await this.#door?.[Symbol.asyncDispose]();
  }

  async #readHere(nodeId: string, command: Command, signal: AbortSignal): Promise<Result> {
    const newest = this.#newest.get(nodeId);
    const session = newest?.isOpen ? newest : newest?.former;
    if (session?.isOpen) return await session.read(command, signal);
    throw failure("unavailable", `node ${nodeId} is not connected: ask again when it is`);
  }

  #arrive(stream: NodeStream, visitor: Visitor): void {
    const { fleet, commands, clock, log, renew } = this.#options;
    const session = new Session({
      stream,
      visitor,
      fleet,
      deliveries: commands.deliveries,
      clock,
      log,
      onFirst: (session, frame) => this.#first(session, frame),
      onRenewal: ({ renewing: { isWanted } }, asked) =>
        renew && answerRenewal(renew, visitor, { asked, isWanted }),
      onEnd: (session) => this.#ended(session),
    });
    this.#streams.add(session);
  }

  #first(session: Session, { body }: NodeFrame): void {
    const { renew } = this.#options;
    if (body.case !== "renewal" || !renew) this.#hello(session, body);
    else this.#renewFirst(session, body.value, renew);
  }

  /** Issues the next certificate to who shows one that has expired, if that was the newest of its node. */
  #renewFirst(session: Session, renewal: Renewal, renew: Renew): void {
    const { visitor } = session;
    const refused = this.#gate.refusal(visitor, renewal);
    if (refused) {
      session.reject(refused);
      return;
    }
    session.admit();
    const asked = { asked: renewal, isWanted: false };
    void answerRenewal(renew, visitor, asked).then((answer) => session.conclude(answer));
  }

  #hello(session: Session, body: NodeFrame["body"]): void {
    session.admit();
    this.#enter(session, body).catch((error: unknown) => {
      this.#options.log.error({ node: session.nodeId, error }, "node could not be let in");
      session.fail(error);
    });
  }

  /** Of several streams of a node that come at once, the claims are decided in order, and the last one is served. */
  async #enter(session: Session, body: NodeFrame["body"]): Promise<void> {
    const admitted = await this.#gate.admit(session.visitor, admission(body));
    if ("reject" in admitted) {
      session.reject(admitted.reject);
      return;
    }
    const { nodeId } = session;
    const former = this.#newest.get(nodeId);
    this.#newest.set(nodeId, session);
    if (admitted.hello.takesOver && former?.isOpen) {
      former.yield();
      session.former = former;
    } else former?.reject(superseded());
    if (session.isOver) this.#ended(session);
    else await this.#letIn(session, admitted.hello, admitted.protocol);
  }

  async #letIn(session: Session, hello: Hello, protocol: number): Promise<void> {
    const { fleet, commands, reports, clock, log } = this.#options;
    const { nodeId } = session;
    const lastCommand = Number(hello.lastCommandSequence);
    const epoch = Number(hello.sessionEpoch);
    // Asked for in one turn: one commit, where the store takes several in one.
    const [intake] = await Promise.all([
      reports.intake({ nodeId, journalId: hello.journalId, lastSequence: Number(hello.journalLastSequence) }),
      commands.deliveries.resumed(nodeId, lastCommand, epoch),
    ]);
    if (this.#newest.get(nodeId) !== session) return;
    const welcome = welcomeOf({
      ...{ nodeId, protocol, through: intake.through, now: clock.now() },
      rhythm: rhythmFor(beatMsFor(this.#beatMs, this.connected), hello.idleIntervalMs),
      renewsCertificates: this.#options.renew !== undefined,
    });
    if (!session.open(welcome, intake, hello)) return;
    session.former?.yielded();
    session.former = undefined;
    this.#options.roots.used(nodeId, session.visitor.rootId);
    this.#wantRenewal(session, hello.trustedRoots);
    fleet.presence.arrived(nodeId, session.visitor.transport);
    log.info({ node: nodeId, session: welcome.sessionId, epoch, attempt: hello.attempt }, "line is up");
  }

  /** Has a node renew that should have another certificate, or other roots, than it has. */
  #wantRenewal(session: Session, trusts: readonly Uint8Array[]): void {
    const { roots, clock } = this.#options;
    if (isUpToDate(session.visitor, trusts, roots.trusted, clock.now())) return;
    session.renewing.want(renewalWanted(this.#spreadMs()));
  }

  #ended(session: Session): void {
    this.#streams.delete(session);
    if (this.#newest.get(session.nodeId) !== session) return;
    this.#newest.delete(session.nodeId);
    this.#options.fleet.presence.left(session.nodeId);
    if (this.#newest.size === 0) this.#drained?.resolve();
  }

  #tick(): void {
    const now = this.#options.clock.elapsed();
    const beatMs = beatMsFor(this.#beatMs, this.connected);
    for (const session of [...this.#streams]) {
      if (session.tick(now, beatMs) === "lost") this.#lost(session);
      // TLS looks at a certificate once, when the line comes up.
      const expired = session.isOpen && this.#gate.expired(session.visitor);
      if (expired) session.reject(expired);
    }
  }

  /** A connection that another stream of the node still uses is well; then only the silent stream ends. */
  #lost(session: Session): void {
    const newest = this.#newest.get(session.nodeId);
    if (newest !== session && newest?.visitor === session.visitor)
      session.fail(failure("deadline", "nothing was heard"));
    else session.cut("nothing was heard for the time of the lease");
  }

  /** Time that the nodes which are here take to come back at the rate at which they are let in, in milliseconds. */
  #spreadMs(): number {
    return Math.max(1000, Math.ceil((this.connected * 1000) / this.#acceptPerSecond));
  }
}
