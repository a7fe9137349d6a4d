/** The processes of a simulated fleet, from the side of whoever started them. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Source } from "./identities.ts";
import { filesOf, nodesPerShare } from "./room.ts";
import type { Answer, Order } from "./share.ts";
import type { Habits } from "./simulated-node.ts";

export interface Shares extends AsyncDisposable {
  /** Dials until so many nodes were dialled in all, at this rate. */
  dial(habits: Omit<Habits, "from">, count: number, perSecond: number): void;
  /** Lets all nodes beat at this interval, or as the hub says when 0. */
  beat(ms: number): void;
  /** Breaks so many lines, by chance. */
  cut(count: number): void;
  /** Nodes that are welcome now. */
  readonly up: ReadonlySet<string>;
  /** So far. */
  readonly counts: Counts;
  /** Resolves when so many are up. Rejects with the signal's reason, and when a process of the fleet ended. */
  untilUp(count: number, signal?: AbortSignal): Promise<void>;
}

export interface Counts {
  beats: number;
  commands: number;
  /** Lines that came up, and that went down. */
  welcomes: number;
  losses: number;
  rejected: Record<number, number>;
}

export interface SharesOptions {
  count: number;
  source: Source;
  /** Told how many nodes have an identity. */
  prepared?: (done: number) => void;
}

const program = new URL("share.ts", import.meta.url).pathname;

/** Starts the processes, and gets an identity for each node. Nobody dials yet. */
export async function openShares({ count, source, prepared }: SharesOptions): Promise<Shares> {
  const sizes = sharesOf(count);
  const up = new Set<string>();
  const counts: Counts = { beats: 0, commands: 0, welcomes: 0, losses: 0, rejected: {} };
  const waiting = new Set<() => void>();
  const failed = Promise.withResolvers<never>();
  failed.promise.catch(() => {}); // Whoever waits is told; nobody else must be.
  let isOver = false;

  const done = sizes.map(() => 0);
  const children = sizes.map(({ to, from }, index) => {
    const child = startShare(to - from);
    child.once("exit", (code) => {
      if (!isOver) failed.reject(new Error(`a process of the fleet ended with ${code}`));
    });
    const ready = new Promise<void>((resolve) => {
      child.on("message", (answer: Answer) => {
        if ("ready" in answer) resolve();
        else if ("prepared" in answer) {
          done[index] = answer.prepared;
          prepared?.(done.reduce((sum, one) => sum + one, 0));
        } else {
          note(answer.told);
        }
      });
    });
    return { child, ready };
  });
  const note = (told: Extract<Answer, { told: unknown }>["told"]) => {
    for (const id of told.down) up.delete(id);
    for (const id of told.up) up.add(id);
    counts.beats += told.beats;
    counts.commands += told.commands;
    counts.welcomes += told.up.length;
    counts.losses += told.down.length;
    for (const [code, times] of Object.entries(told.rejected)) {
      counts.rejected[Number(code)] = (counts.rejected[Number(code)] ?? 0) + times;
    }
    for (const look of waiting) look();
  };
  const order = (index: number, what: Order) => children[index]?.child.send(what);
  const all = (what: (share: { from: number; to: number }, index: number) => Order) => {
    for (const [index, share] of sizes.entries()) order(index, what(share, index));
  };
  const dispose = async () => {
    isOver = true;
    await Promise.all(children.map(({ child }) => endOf(child)));
  };

  try {
    all((share) => ({ ask: "prepare", source, ...share }));
    await Promise.race([Promise.all(children.map(({ ready }) => ready)), failed.promise]);
  } catch (thrown) {
    await dispose();
    throw thrown;
  }
  return {
    ...{ up, counts },
    dial(habits, wanted, perSecond) {
      all(({ from, to }, index) => ({
        ask: "dial",
        habits: { ...habits, ...(habits.host === undefined && { from: `127.0.0.${index + 1}` }) },
        to: Math.max(0, Math.min(to, from + Math.ceil(((to - from) * wanted) / count)) - from),
        perSecond: (perSecond * (to - from)) / count,
      }));
    },
    beat: (ms) => all(() => ({ ask: "beat", ms })),
    cut: (lines) => all(({ from, to }) => ({ ask: "cut", count: Math.round((lines * (to - from)) / count) })),
    async untilUp(wanted, signal) {
      const enough = Promise.withResolvers<void>();
      const look = () => up.size >= wanted && enough.resolve();
      const stop = () => enough.reject(signal?.reason);
      waiting.add(look);
      signal?.addEventListener("abort", stop, { once: true });
      look();
      if (signal?.aborted) stop();
      await Promise.race([enough.promise, failed.promise]).finally(() => {
        waiting.delete(look);
        signal?.removeEventListener("abort", stop);
      });
    },
    [Symbol.asyncDispose]: dispose,
  };
}

/** As few processes as can hold them. */
function sharesOf(count: number): { from: number; to: number }[] {
  const processes = Math.ceil(count / nodesPerShare);
  const at = (index: number) => Math.round((count * index) / processes);
  return Array.from({ length: processes }, (_, index) => ({ from: at(index), to: at(index + 1) }));
}

/** With as many open files as it needs, where that is allowed; that it is enough was looked at before. */
function startShare(nodes: number): ChildProcess {
  const raised = `ulimit -n ${filesOf(nodes)} 2>/dev/null; exec "$0" "$@"`;
  return spawn("sh", ["-c", raised, process.execPath, program], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
}

async function endOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  const late = setTimeout(() => child.kill("SIGKILL"), 10_000);
  if (child.connected) child.send({ ask: "end" } satisfies Order);
  await ended;
  clearTimeout(late);
}
