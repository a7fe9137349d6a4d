import { hostname } from "node:os";
import { Changes } from "../../base/changes.ts";
import type { Clock } from "../../base/clock.ts";
import { newId } from "../../base/ids.ts";
import type { Logger } from "../../base/log.ts";
import { version } from "../../wire/version.ts";
import { type Bus, InProcessBus } from "../bus/index.ts";
import type { Store } from "../store/index.ts";
import { Living, type ReplicaRow } from "./living.ts";

export interface ReplicasOptions {
  store: Store;
  bus: Bus;
  clock: Clock;
  log: Logger;
  /** Time between two looks at the store, in milliseconds. */
  lookEveryMs?: number;
}

/** What nobody heard of is seen this much later at most; five times that, and a replica that stands still is dead. */
const defaultLookEveryMs = 2_000;

/** This hub as one of several replicas, from its start to its end. */
export class Replicas implements AsyncDisposable {
  /** Of this life: a hub that starts again is another replica. */
  readonly id = newId("replica");
  readonly bus: Bus;
  /** Undefined when this hub is alone. */
  readonly #options: ReplicasOptions | undefined;
  readonly #living = new Living();
  readonly #looks: (() => Promise<void>)[] = [];
  readonly #gone: ((id: string, isHeir: boolean) => void)[] = [];
  readonly #back: ((id: string) => void)[] = [];
  readonly #rejoined = new Changes();
  /** What is to be told at the end of this turn, by subject. */
  readonly #untold = new Map<string, Set<string>>();
  readonly #wanted = new Changes();

  private constructor(bus: Bus, options?: ReplicasOptions) {
    this.bus = bus;
    this.#options = options;
  }

  /** A hub whose store nobody else can open. */
  static alone(): Replicas {
    return new Replicas(new InProcessBus().join());
  }

  /** One of several: known to the others when it resolves. */
  static async open(options: ReplicasOptions): Promise<Replicas> {
    const replicas = new Replicas(options.bus, options);
    await replicas.#join();
    await replicas.meet();
    options.bus.onReturn(() => replicas.#wanted.notify());
    return replicas;
  }

  /** Whether there can be no other. */
  get isAlone(): boolean {
    return this.#options === undefined;
  }

  /** Whether a replica, this one or another, is at work. */
  isAlive(id: string): boolean {
    return id === this.id || this.#living.has(id);
  }

  /** Whether `isAlive` has heard of it; if not, `meet` first. */
  knows(id: string): boolean {
    return id === this.id || this.#living.knows(id);
  }

  /** Learns of replicas that have just come. */
  async meet(): Promise<void> {
    if (this.#options) this.#living.meet(await this.#rows());
  }

  /** Tells the other replicas that `what` changed. What is told in one turn is one message, and each thing is in it once. */
  tell(subject: string, what: readonly string[]): void {
    if (this.isAlone || what.length === 0) return;
    const untold = this.#untold.get(subject) ?? new Set<string>();
    if (!this.#untold.has(subject)) {
      this.#untold.set(subject, untold);
      setImmediate(() => this.#flush(subject));
    }
    for (const one of what) untold.add(one);
  }

  /** Calls `listener` with what other replicas tell. */
  hear(subject: string, listener: (what: readonly string[]) => void): void {
    this.bus.subscribe(subject, ({ data }) => listener(parsed(data)));
  }

  /** Has `look` called every two seconds, and when the bus is back: to find in the store what was not heard of. */
  onLook(look: () => Promise<void>): void {
    this.#looks.push(look);
  }

  /** Calls `listener` with each replica that ended or is taken for dead. On one of those that see it, it is heir to what is left. */
  onGone(listener: (id: string, isHeir: boolean) => void): void {
    this.#gone.push(listener);
  }

  /** Calls `listener` with each replica that has come, or is not dead after all. */
  onBack(listener: (id: string) => void): void {
    this.#back.push(listener);
  }

  /** Calls `listener` when the others took this one for dead and it is back: what they wrote of it is not true any more. */
  onRejoin(listener: () => void): void {
    this.#rejoined.listen(listener);
  }

  /** Beats and looks, until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    if (!this.#options) return;
    const { clock, log, lookEveryMs = defaultLookEveryMs } = this.#options;
    const wake = async (stop: AbortSignal) => {
      for (; !stop.aborted; this.#wanted.notify()) await clock.sleep(lookEveryMs, stop).catch(() => {});
    };
    const waking = wake(signal);
    for await (const _ of this.#wanted.wakes(signal)) {
      // One look that fails keeps no other from looking.
      for (const look of [() => this.look(), ...this.#looks]) {
        await look().catch((error: unknown) => {
          if (!signal.aborted) log.warn({ error }, "a look at the store failed; it is tried again");
        });
      }
    }
    await waking;
  }

  /** Beats, and sees who else does. */
  async look(): Promise<void> {
    if (!this.#options) return;
    const { store, log } = this.#options;
    const beaten = await store.write(
      (tx) => tx.run("UPDATE replicas SET beats = beats + 1 WHERE id = $1", this.id),
      [],
    );
    if (beaten === 0) {
      log.warn("the other replicas took this one for dead; it goes on");
      await this.#join();
      this.#rejoined.notify();
    }
    const rows = await this.#rows();
    const { back, gone, dead } = this.#living.look(rows);
    for (const id of back) for (const listener of this.#back) listener(id);
    const heirTo = new Set<string>();
    for (const one of dead) if (await this.#bury(one)) heirTo.add(one.id);
    for (const id of new Set([...gone, ...heirTo])) {
      log.warn({ replica: id }, "another replica is gone");
      for (const listener of this.#gone) listener(id, heirTo.has(id));
    }
  }

  /** Leaves: the others need not wait until it stands still. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const subject of [...this.#untold.keys()]) this.#flush(subject);
    const { store } = this.#options ?? {};
    await store?.write((tx) => tx.run("DELETE FROM replicas WHERE id = $1", this.id), []).catch(() => {});
    await this.bus[Symbol.asyncDispose]();
  }

  async #join(): Promise<void> {
    if (!this.#options) return;
    const { store, clock } = this.#options;
    await store.write(
      (tx) =>
        tx.run(
          `INSERT INTO replicas (id, beats, started_at, host_name, version) VALUES ($1, 0, $2, $3, $4)
           ON CONFLICT (id) DO NOTHING`,
          this.id,
          clock.now(),
          hostname(),
          version,
        ),
      [],
    );
  }

  /** Of all that see a replica dead, one takes its row away. One that has beaten meanwhile stays. */
  async #bury({ id, beats }: ReplicaRow): Promise<boolean> {
    const buried = await this.#options?.store.write(
      (tx) => tx.run("DELETE FROM replicas WHERE id = $1 AND beats = $2", id, beats),
      [],
    );
    return buried === 1;
  }

  /** Of all others: of itself a replica knows. */
  async #rows(): Promise<ReplicaRow[]> {
    const rows =
      (await this.#options?.store.read("SELECT id, beats FROM replicas WHERE id <> $1", this.id)) ?? [];
    return rows.map((row) => ({ id: String(row.id), beats: Number(row.beats) }));
  }

  #flush(subject: string): void {
    const what = [...(this.#untold.get(subject) ?? [])];
    this.#untold.delete(subject);
    // In messages of a size that any server takes.
    for (let at = 0; at < what.length; at += messageItems) {
      const some = what.slice(at, at + messageItems);
      this.bus.publish(subject, new TextEncoder().encode(JSON.stringify(some)));
    }
  }
}

/** Things in one message. */
const messageItems = 1000;

/** What a replica of another version says in another form says nothing. */
function parsed(data: Uint8Array): string[] {
  try {
    const given: unknown = JSON.parse(new TextDecoder().decode(data));
    return Array.isArray(given) ? given.map(String) : [];
  } catch {
    return [];
  }
}
