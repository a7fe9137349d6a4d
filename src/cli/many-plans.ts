import { toJson } from "@bufbuild/protobuf";
import type { FleetNode } from "../../gen/edge/v1/fleet_pb.ts";
import { type PlanWishesResponse, PlanWishesResponseSchema } from "../../gen/edge/v1/wishes_pb.ts";
import { planned, summary } from "./apply-tell.ts";
import { askEach, missingOf, type Told } from "./many-nodes.ts";
import type { Run } from "./run.ts";
import { printable } from "./table.ts";

/**
 * Tells of each node what it would do, by its own word; of one that is away, that nobody knows. For programs one JSON object per line.
 * @returns what the nodes told, and how many would do something.
 */
export async function tellPlans(
  run: Run,
  nodes: readonly FleetNode[],
  ask: (node: FleetNode) => Promise<PlanWishesResponse>,
): Promise<{ told: Told<PlanWishesResponse>[]; changing: number }> {
  const told = await askEach(run, nodes, ask);
  const { json } = run.flags;
  for (const one of told) run.terminal.out(json ? `${JSON.stringify(asJson(one))}\n` : inWords(one, run));
  const changing = told.filter((one) => "answer" in one && summary(one.answer).isAnything).length;
  const asWished = told.filter((one) => "answer" in one).length - changing;
  const parts = [`${changing} would change`, `${asWished} as wished`, missingOf(told)].filter(
    (one) => one !== "",
  );
  if (!json) run.terminal.out(`${told.length} nodes: ${parts.join(", ")}\n`);
  return { told, changing };
}

function inWords(one: Told<PlanWishesResponse>, { terminal }: Run): string {
  const head = `${one.node.id} (${printable(one.node.hostName)})\n`;
  if ("answer" in one) return `${head}${planned(one.answer, terminal)}\n`;
  if ("away" in one) return `${head}it is away, and cannot say what would change: ${one.away}\n\n`;
  return `${head}it refuses: ${printable(one.refusal.message)}\n\n`;
}

function asJson(one: Told<PlanWishesResponse>) {
  const { id, hostName } = one.node;
  if ("answer" in one) {
    return { id, hostName, plan: toJson(PlanWishesResponseSchema, one.answer, { alwaysEmitImplicit: true }) };
  }
  return "away" in one
    ? { id, hostName, away: one.away }
    : { id, hostName, refusal: { kind: one.refusal.kind, message: one.refusal.message } };
}
