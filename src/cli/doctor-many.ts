import { toJson } from "@bufbuild/protobuf";
import { type Finding, FindingLevel, FindingSchema } from "../../gen/edge/v1/findings_pb.ts";
import { word } from "./answer.ts";
import { Spoken } from "./complain.ts";
import type { Door } from "./door.ts";
import {
  askEach,
  type ManyFlags,
  missingOf,
  mustBeWhole,
  mustMeanSome,
  nodesOf,
  type Told,
} from "./many-nodes.ts";
import type { Run } from "./run.ts";
import { printable } from "./table.ts";

/** Nodes that are named with what they have in common; of more, how many. */
const named = 5;
/** A node looks for up to 10 s. */
const lookMs = 30_000;

/** One thing that was found, and where. */
export interface Common {
  check: string;
  level: FindingLevel;
  /** Of the first place. */
  says: string;
  why: string;
  next: string;
  places: string[];
}

/** What is found at nodes and at the hub, worst first, each thing once. @throws {Spoken} something must be mended. */
export async function doctorMany(run: Run, door: Door, flags: ManyFlags): Promise<void> {
  const nodes = await nodesOf(run, door, flags);
  mustMeanSome(nodes, flags);
  const timeoutMs = run.flags.timeout ?? lookMs;
  const [told, ofHub] = await Promise.all([
    askEach(
      run,
      nodes,
      async ({ id }) => (await door.ask("checkNode", {}, { nodeId: id, timeoutMs })).findings,
    ),
    door.fleet.checkHub({}, { signal: run.signal, timeoutMs }),
  ]);
  const all = inCommon([
    { place: "the hub", findings: ofHub.findings },
    ...told.flatMap((one) => ("answer" in one ? [{ place: one.node.id, findings: one.answer }] : [])),
  ]);
  if (run.flags.json) run.terminal.out(`${JSON.stringify(asJson(told, ofHub.findings), null, 2)}\n`);
  else
    run.terminal.out(
      `${all.map((one) => inWords(one, run)).join("")}${missingInWords(told)}${summary(all, told)}`,
    );
  if (all.some(({ level }) => level === FindingLevel.FAIL)) throw new Spoken();
  mustBeWhole(told);
}

/** Findings of many places as one list: each check at each level once, worst first, then what most have. What is well is left out. */
export function inCommon(all: readonly { place: string; findings: readonly Finding[] }[]): Common[] {
  const found = new Map<string, Common>();
  for (const { place, findings } of all) {
    for (const { check, level, says, why, next } of findings) {
      if (level === FindingLevel.OK) continue;
      const known = found.get(`${level} ${check}`);
      if (known) known.places.push(place);
      else found.set(`${level} ${check}`, { check, level, says, why, next, places: [place] });
    }
  }
  return [...found.values()].sort(
    (one, other) => other.level - one.level || other.places.length - one.places.length,
  );
}

const indent = " ".repeat(9);

function inWords({ check, level, says, why, next, places }: Common, { terminal: { style } }: Run): string {
  const paint = level === FindingLevel.FAIL ? style.bad : style.bold;
  const some =
    places.length > named ? [...places.slice(0, named), `and ${places.length - named} more`] : places;
  const where = places.length === 1 ? (places[0] ?? "") : `${places.length} places: ${some.join(", ")}`;
  const lines = [says, why, ...(next === "" ? [] : [`-> ${next}`])];
  const head = `${paint(word(FindingLevel, level).padEnd(7))}  ${check}: ${printable(where)}\n`;
  return `${head}${lines.map((line) => `${indent}${printable(line)}\n`).join("")}`;
}

function missingInWords(told: readonly Told<unknown>[]): string {
  return told
    .flatMap((one) => {
      if ("answer" in one) return [];
      const why = "away" in one ? `it is away, ${one.away}` : one.refusal.message;
      return [`not seen ${one.node.id}: ${printable(why)}\n`];
    })
    .join("");
}

function summary(all: readonly Common[], told: readonly Told<unknown>[]): string {
  const count = (level: FindingLevel) => all.filter((one) => one.level === level).length;
  const seen = told.filter((one) => "answer" in one).length;
  const missing = missingOf(told);
  const what = `${count(FindingLevel.FAIL)} to mend, ${count(FindingLevel.WARN)} to know of, ${count(FindingLevel.UNKNOWN)} unknown`;
  return `${seen} of ${told.length} nodes and the hub: ${what}${missing === "" ? "" : `; ${missing}`}\n`;
}

function asJson(told: readonly Told<Finding[]>[], ofHub: readonly Finding[]) {
  const list = (findings: readonly Finding[]) =>
    findings.map((one) => toJson(FindingSchema, one, { alwaysEmitImplicit: true }));
  const nodes = told.map((one) => {
    const { id, hostName } = one.node;
    if ("answer" in one) return { id, hostName, findings: list(one.answer) };
    return { id, hostName, problem: "away" in one ? `away: ${one.away}` : one.refusal.message };
  });
  return { hub: list(ofHub), nodes };
}
