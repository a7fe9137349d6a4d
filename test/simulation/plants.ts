import { registerHooks } from "node:module";

/** A defect as somebody might make it: in a file of `src/`, one text in place of another. */
export interface Plant {
  name: string;
  /** What is wrong with it. */
  what: string;
  file: string;
  instead: readonly [right: string, wrong: string];
}

/** Defects that the simulation must find. None of them is in the repository: they are put into a program as it is loaded. */
export const plants: readonly Plant[] = [
  {
    name: "acknowledged-before-disk",
    what: "the hub says that it has a report before the report is on its disk",
    file: "hub/line/receiver.ts",
    instead: [
      "intake.take(report).then(",
      "onStored(Number(report.sequence));\n    intake.take(report).then(",
    ],
  },
  {
    name: "no-fence",
    what: "a hello that comes late pushes out a newer stream",
    file: "hub/fleet/fence.ts",
    instead: ['if (claim.epoch < seen.epoch) return "stale";', ""],
  },
  {
    name: "late-end-believed",
    what: "the end of a stream that was superseded takes the newer one for gone",
    file: "hub/line/line.ts",
    instead: [
      "if (this.#newest.get(session.nodeId) !== session) return;\n    this.#newest.delete",
      "this.#newest.delete",
    ],
  },
  {
    name: "ids-forgotten",
    what: "the node forgets the id of a command with its result",
    file: "daemon/work/work.ts",
    instead: [
      "const known = this.#store.get(command.id);\n    const caller",
      "const found = this.#store.get(command.id);\n    const known = found?.result ? undefined : found;\n    if (found?.result) this.#sql.run('DELETE FROM commands WHERE id = ?', command.id);\n    const caller",
    ],
  },
  {
    name: "begun-before-accepted",
    what: "a command begins before it is on the node's disk",
    file: "daemon/work/work.ts",
    instead: [
      "const verdict = known ?",
      "if (!known && !this.#running.has(command.id)) this.#start({ command, caller, fromHub: true, usedMs: 0 }, undefined);\n    const verdict = known ?",
    ],
  },
  {
    name: "one-too-many",
    what: "the hub acknowledges one report more than it has",
    file: "hub/line/receiver.ts",
    instead: ["intake.through));", "intake.through) + 1);"],
  },
  {
    name: "resent-from-wrong-place",
    what: "a new session begins after the newest report, and not after what the hub has",
    file: "daemon/control/outbox.ts",
    instead: [
      "this.#sent = reportsThrough;",
      "this.#sent = Math.max(reportsThrough, sources.journal.lastSequence);",
    ],
  },
  {
    name: "doubt-expires",
    what: "a command expires that the node may have",
    file: "hub/commands/queue.ts",
    instead: ["AND c.sequence > q.handed AND c.node_id = $2", "AND c.node_id = $2"],
  },
  {
    name: "results-dropped-first",
    what: "a full journal drops results and keeps events",
    file: "daemon/journal/bound.ts",
    instead: [
      'const dropped = oldest(sql, "event", wanted);',
      'const dropped = oldest(sql, "result", wanted);',
    ],
  },
  {
    name: "cancel-lost",
    what: "what was called off while the line was down is not told when it is up again",
    file: "hub/line/sender.ts",
    instead: [
      "if (sequence > this.#sent || this.#cancelled.has(id)) continue;",
      "if (sequence <= this.#options.lastCommand || sequence > this.#sent || this.#cancelled.has(id)) continue;",
    ],
  },
  {
    name: "lane-left-early",
    what: "the next command about a workload begins before the result of the one before is on disk",
    file: "daemon/work/work.ts",
    instead: ["conclude(await outcomeOf(", "void conclude(await outcomeOf("],
  },
  {
    name: "frames-not-counted",
    what: "nobody notices that a frame was lost within a stream",
    file: "wire/frames.ts",
    instead: ["if (number === due || number === 0) return undefined;", "return undefined;"],
  },
  {
    name: "lease-not-watched",
    what: "a node waits for a hub that is silent",
    file: "daemon/control/session.ts",
    instead: ["this.#leaseMs = welcome.leaseMs || defaults.leaseMs;", "this.#leaseMs = 3_600_000;"],
  },
  {
    name: "copy-keeps-its-name",
    what: "a disk that was copied goes on numbering its reports like the other",
    file: "daemon/control/copies.ts",
    instead: ["if (tellOfCopies.has(code)) journal.renew();", ""],
  },
];

/**
 * Puts a defect into the sources that are loaded from now on.
 * @throws {Error} There is no such plant, or its text is not, or not once, in the file: the file has changed, and the plant must.
 */
export function plant(name: string): Plant {
  const found = plants.find((one) => one.name === name);
  if (!found)
    throw new Error(`no plant is called ${name}: there are ${plants.map((one) => one.name).join(", ")}`);
  const url = new URL(`../../src/${found.file}`, import.meta.url).href;
  const [right, wrong] = found.instead;
  registerHooks({
    load(at, context, next) {
      const loaded = next(at, context);
      if (at !== url) return loaded;
      const source = String(loaded.source);
      if (source.split(right).length !== 2)
        throw new Error(`${found.file} does not hold this once: ${right}`);
      return { ...loaded, source: source.replace(right, () => wrong) };
    },
  });
  return found;
}
