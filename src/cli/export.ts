import type { Command } from "commander";
import {
  DesiredState,
  ListRuntimesResponseSchema,
  type Runtime,
  RuntimePhase,
  RuntimeSpecSchema,
} from "../../gen/edge/v1/runtimes_pb.ts";
import { failure } from "../base/failure.ts";
import { answer } from "./answer.ts";
import { apiVersion, treeFrom } from "./documents/index.ts";
import type { Run } from "./run.ts";
import { withNode } from "./target.ts";

/** `orchestrator export` */
export function defineExport(program: Command, run: Run): void {
  program
    .command("export [runtime...]")
    .description("print the wishes of a node as YAML documents, which apply takes back")
    .addHelpText("after", "\nExample: orchestrator export press-1 > press-1.yaml")
    .action((names: string[]) =>
      withNode(run, async (door, target) => {
        const response = await door.ask("listRuntimes", {}, { nodeId: target?.id });
        const missing = names.filter((name) => !response.runtimes.some(({ spec }) => spec?.name === name));
        if (missing.length > 0) throw failure("not_found", `there is no runtime ${missing.join(", ")}`);
        if (names.length > 0) {
          response.runtimes = response.runtimes.filter(({ spec }) => names.includes(spec?.name ?? ""));
        }
        const { stringify } = (await import("yaml")).default; // Loaded late, because it is large.
        answer(run, ListRuntimesResponseSchema, response, () =>
          response.runtimes
            .map((runtime) => stringify(documentOf(runtime), { lineWidth: 0, customTags: ["binary"] }))
            .join("---\n"),
        );
      }),
    );
}

/** A runtime as a document. One that is stopped is wished to be: applied elsewhere it must not begin to run. */
function documentOf({ spec, phase }: Runtime) {
  if (!spec) throw failure("internal", "the node told a runtime without its wish");
  const isStopped = spec.desired === DesiredState.UNSPECIFIED && phase === RuntimePhase.STOPPED;
  const wish = isStopped ? { ...spec, desired: DesiredState.STOPPED } : spec;
  return { apiVersion, kind: "Runtime", spec: treeFrom(RuntimeSpecSchema, wish) };
}
