import type { MessageInitShape } from "@bufbuild/protobuf";
import type { AgentSpec } from "../../../gen/edge/v1/agents_pb.ts";
import type { AppliedAgentSchema } from "../../../gen/edge/v1/wishes_pb.ts";
import { asFailure, Failure, type FieldViolation, refusedFields } from "../../base/failure.ts";
import { Gate } from "../../base/gate.ts";
import { toFailureMessage } from "../../wire/failures.ts";
import type { Ask } from "../work/index.ts";
import type { Agents } from "./agents.ts";
import type { AgentPlan, AgentWishes } from "./plan-wishes.ts";

export type AppliedAgent = MessageInitShape<typeof AppliedAgentSchema>;

/** So many are deployed at once: most of that is a pull. */
const atOnce = 4;

/**
 * Checks all manifests before anything is done.
 * @throws {Failure} invalid, denied: every violation, by its place as in `agents[2].image`. not_found, unsupported.
 */
export async function checkAgents(
  agents: Pick<Agents, "check">,
  specs: readonly AgentSpec[],
  ask: Ask,
): Promise<void> {
  const refusals: Failure[] = [];
  const violations: FieldViolation[] = [];
  for (const [at, spec] of specs.entries()) {
    try {
      await agents.check(spec, ask);
    } catch (thrown) {
      if (!(thrown instanceof Failure)) throw thrown;
      if (thrown.violations.length === 0) {
        throw new Failure(thrown.kind, `agent ${spec.name}: ${thrown.message}`, { cause: thrown });
      }
      refusals.push(thrown);
      violations.push(
        ...thrown.violations.map((one) => ({ ...one, field: one.field.replace(/^spec\b/, `agents[${at}]`) })),
      );
    }
  }
  if (refusals.length === 0) return;
  throw refusedFields(refusals.every(({ kind }) => kind === "denied") ? "denied" : "invalid", violations);
}

/** Makes the agents what the plan says. What goes wrong with one is told in its place, and holds up no other. */
export async function applyAgents(
  agents: Pick<Agents, "deploy" | "remove">,
  { agents: specs }: AgentWishes,
  plans: readonly AgentPlan[],
  ask: Ask,
): Promise<AppliedAgent[]> {
  const gate = new Gate(atOnce);
  const applied = await Promise.all(
    plans.map(async ({ name, action, changes }): Promise<AppliedAgent> => {
      const spec = specs.find((one) => one.name === name);
      try {
        const version = await gate.run(ask.signal, () => carryOut(agents, { name, spec }, ask));
        return { name, action, version, ...(changes && { changes }) };
      } catch (thrown) {
        return { name, action, failure: toFailureMessage(thrown) };
      }
    }),
  );
  // Time that runs out is told in the place of whoever needed it; a command that somebody called off has no answer.
  if (ask.signal.aborted && asFailure(ask.signal.reason).kind !== "deadline") throw ask.signal.reason;
  return applied;
}

/** @returns the version that is current afterwards. */
async function carryOut(
  agents: Pick<Agents, "deploy" | "remove">,
  { name, spec }: { name: string; spec: AgentSpec | undefined },
  ask: Ask,
): Promise<number> {
  if (spec) return (await agents.deploy(spec, ask)).agent.current?.version ?? 0;
  await agents.remove(name, { cancelTasks: true }, ask);
  return 0;
}
