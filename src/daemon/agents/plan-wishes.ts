import { create, equals, type MessageInitShape, toJson } from "@bufbuild/protobuf";
import {
  type Agent,
  type AgentSpec,
  AgentSpecSchema,
  type AgentVersion,
} from "../../../gen/edge/v1/agents_pb.ts";
import {
  type EnvVar,
  type FieldChange,
  FieldChangeSchema,
  type Label,
} from "../../../gen/edge/v1/runtimes_pb.ts";
import { type AgentPlanSchema, PlannedAction } from "../../../gen/edge/v1/wishes_pb.ts";
import { beginning } from "../../base/evidence.ts";
import { isSelected } from "../../wire/selector.ts";

/** What agents a node should have, in whole or in part. */
export interface AgentWishes {
  agents: readonly AgentSpec[];
  prune: readonly Pick<Label, "key" | "value">[];
  /** Names of those that are not to be there. */
  absentAgents?: readonly string[];
}

export type AgentPlan = MessageInitShape<typeof AgentPlanSchema> & { name: string; action: PlannedAction };

/** A value is told for people: more of it than this nobody reads. In bytes. */
const toldBytes = 512;

/** What would be done to each agent, in the order of the wishes, then those that go, in the order in which they are `there`. */
export function planAgents(
  { agents, prune, absentAgents = [] }: AgentWishes,
  there: readonly Agent[],
): AgentPlan[] {
  const plans = agents.map((spec) => planOne(spec, there.find(({ name }) => name === spec.name)?.current));
  const labels = prune.map(({ key, value }) => `${key}=${value}`).join(", ");
  const deletes = there
    .filter(({ name, current }) => {
      const isMentioned = agents.some((one) => one.name === name);
      const isPruned = prune.length > 0 && isSelected(current?.spec?.labels ?? [], prune);
      return !isMentioned && (isPruned || absentAgents.includes(name));
    })
    .map(({ name, queued, running }): AgentPlan => {
      const reason = absentAgents.includes(name)
        ? "it is not to be there"
        : `it is not mentioned, and has the label ${labels}`;
      return { name, action: PlannedAction.DELETE, reason, tasks: queued + running };
    });
  return [...plans, ...deletes];
}

function planOne(spec: AgentSpec, there: AgentVersion | undefined): AgentPlan {
  const { name } = spec;
  if (!there?.spec) return { name, action: PlannedAction.CREATE, reason: "there is none of this name" };
  if (equals(AgentSpecSchema, there.spec, spec)) {
    return { name, action: PlannedAction.KEEP, reason: `it is as version ${there.version}` };
  }
  const changes = differences(there.spec, spec);
  const reason = `it is other than version ${there.version}; tasks that run go on with theirs`;
  return { name, action: PlannedAction.UPDATE, changes, reason };
}

/** The fields that differ, as JSON of the contract; of variables their names alone, since a value may be somebody's secret. */
function differences(before: AgentSpec, after: AgentSpec): FieldChange[] {
  return AgentSpecSchema.fields.flatMap(({ name, jsonName }): FieldChange[] => {
    const [was, is] = [json(before, jsonName), json(after, jsonName)];
    if (was === is) return [];
    const told =
      name === "env"
        ? { before: namesOf(before.env, after.env), after: namesOf(after.env, before.env) }
        : { before: beginning(was, toldBytes), after: beginning(is, toldBytes) };
    return [create(FieldChangeSchema, { field: `spec.${name}`, ...told })];
  });
}

function json(spec: AgentSpec, jsonName: string): string {
  const tree = toJson(AgentSpecSchema, spec) as Record<string, unknown>; // A message is an object.
  return tree[jsonName] === undefined ? "" : JSON.stringify(tree[jsonName]);
}

function namesOf(some: readonly EnvVar[], others: readonly EnvVar[]): string {
  const differs = ({ name, value }: EnvVar) =>
    !others.some((one) => one.name === name && one.value === value);
  const names = some.filter(differs).map(({ name }) => name);
  return names.length === 0 ? "" : JSON.stringify(names.sort());
}
