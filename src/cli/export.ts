import { create } from "@bufbuild/protobuf";
import type { Command } from "commander";
import { type AgentSpec, AgentSpecSchema } from "../../gen/edge/v1/agents_pb.ts";
import {
  DesiredState,
  type Runtime,
  RuntimePhase,
  type RuntimeSpec,
  RuntimeSpecSchema,
} from "../../gen/edge/v1/runtimes_pb.ts";
import { ApplyWishesRequestSchema } from "../../gen/edge/v1/wishes_pb.ts";
import { failure } from "../base/failure.ts";
import { fromConnectError } from "../wire/failures.ts";
import { answer } from "./answer.ts";
import { apiVersion, treeFrom } from "./documents/index.ts";
import type { Door } from "./door.ts";
import type { Run } from "./run.ts";
import { type Target, withNode } from "./target.ts";

/** `orchestrator export` */
export function defineExport(program: Command, run: Run): void {
  program
    .command("export [workload...]")
    .description("print the runtimes and agents of a node as YAML documents, which apply takes back")
    .addHelpText("after", "\nExample: orchestrator export press-1 > press-1.yaml")
    .action((names: string[]) =>
      withNode(run, async (door, target) => {
        const isAsked = ({ name }: { name: string }) => names.length === 0 || names.includes(name);
        const runtimes = (await runtimesOf(door, target)).filter(isAsked);
        const agents = (await agentsOf(door, target)).filter(isAsked);
        const missing = names.filter((name) => ![...runtimes, ...agents].some((one) => one.name === name));
        if (missing.length > 0)
          throw failure("not_found", `there is no runtime or agent ${missing.join(", ")}`);
        const documents = [
          ...runtimes.map((spec) => ({
            apiVersion,
            kind: "Runtime",
            spec: treeFrom(RuntimeSpecSchema, spec),
          })),
          ...agents.map((spec) => ({ apiVersion, kind: "Agent", spec: treeFrom(AgentSpecSchema, spec) })),
        ];
        const { stringify } = (await import("yaml")).default; // Loaded late, because it is large.
        const options = { lineWidth: 0, customTags: ["binary" as const] };
        answer(run, ApplyWishesRequestSchema, create(ApplyWishesRequestSchema, { runtimes, agents }), () =>
          documents.map((one) => stringify(one, options)).join("---\n"),
        );
      }),
    );
}

async function runtimesOf(door: Door, target: Target): Promise<RuntimeSpec[]> {
  const { runtimes } = await door.ask("listRuntimes", {}, { nodeId: target?.id });
  return runtimes.map(wishOf);
}

/** A runtime as it is wished. One that is stopped is wished to be: applied elsewhere it must not begin to run. */
function wishOf({ spec, phase }: Runtime): RuntimeSpec {
  if (!spec) throw failure("internal", "the node told a runtime without its wish");
  const isStopped = spec.desired === DesiredState.UNSPECIFIED && phase === RuntimePhase.STOPPED;
  return isStopped ? { ...spec, desired: DesiredState.STOPPED } : spec;
}

/** The current versions. An older daemon has no agents. */
async function agentsOf(door: Door, target: Target): Promise<AgentSpec[]> {
  try {
    const { agents } = await door.ask("listAgents", {}, { nodeId: target?.id });
    return agents.flatMap(({ current }) => current?.spec ?? []);
  } catch (thrown) {
    if (fromConnectError(thrown).kind === "unsupported") return [];
    throw thrown;
  }
}
