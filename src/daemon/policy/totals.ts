import { create } from "@bufbuild/protobuf";
import { type ContainerAsk, type PolicyTotals, PolicyTotalsSchema } from "../../../gen/edge/v1/policy_pb.ts";

/** A container of an agent that is there, as far as quotas count it. */
export interface Counted {
  agent: string;
  /** The tenant label of its agent; empty when it has none. */
  tenant: string;
  memoryBytes: number;
}

/** What is there already, of all agents, and of the agent and the tenant that are asked about. */
export function totalsOf(
  cells: Iterable<Counted>,
  runtimes: number,
  { name, tenant }: Pick<ContainerAsk, "name" | "tenant">,
): PolicyTotals {
  const all = [...cells];
  const ofTenant = tenant === "" ? [] : all.filter((one) => one.tenant === tenant);
  return create(PolicyTotalsSchema, {
    containers: BigInt(all.length),
    memoryBytes: memoryOf(all),
    agentContainers: BigInt(all.filter(({ agent }) => agent === name).length),
    tenantContainers: BigInt(ofTenant.length),
    tenantMemoryBytes: memoryOf(ofTenant),
    runtimes: BigInt(runtimes),
  });
}

function memoryOf(cells: readonly Counted[]): bigint {
  return BigInt(cells.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0));
}
