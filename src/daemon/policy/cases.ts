import { create, type DescMessage, fromJson, type JsonValue } from "@bufbuild/protobuf";
import * as v from "valibot";
import { AgentSpecSchema } from "../../../gen/edge/v1/agents_pb.ts";
import { CommandSchema } from "../../../gen/edge/v1/command_pb.ts";
import {
  CallerSchema,
  Door,
  type PolicyCaseOutcome,
  PolicyCaseOutcomeSchema,
  PolicyTotalsSchema,
} from "../../../gen/edge/v1/policy_pb.ts";
import { RuntimeSpecSchema } from "../../../gen/edge/v1/runtimes_pb.ts";
import { evidence } from "../../base/evidence.ts";
import { invalidFields } from "../../base/failure.ts";
import { containerAskOf } from "./container-ask.ts";
import type { PolicyFile } from "./file.ts";
import { type Case, judge } from "./judge.ts";
import type { Ruleset } from "./ruleset.ts";

const doors = { hub: Door.HUB, local: Door.LOCAL, broker: Door.BROKER, node: Door.NODE } as const;
const json = v.custom<JsonValue>((given) => given !== undefined);

/** A case of a policy file: who asks for what, and what is to come of it. Exactly one of command, agent and runtime is asked. */
const schema = v.strictObject({
  name: v.pipe(v.string(), v.nonEmpty()),
  caller: v.optional(
    v.strictObject({
      door: v.optional(v.picklist(Object.keys(doors) as (keyof typeof doors)[]), "hub"),
      actor: v.optional(v.string(), ""),
      agent: v.optional(v.string(), ""),
      task_id: v.optional(v.string(), ""),
    }),
    {},
  ),
  command: v.optional(v.string()),
  request: v.optional(json),
  agent: v.optional(json),
  runtime: v.optional(json),
  totals: v.optional(json),
  now: v.optional(v.pipe(v.string(), v.isoTimestamp())),
  expect: v.union([v.literal("allowed"), v.literal("denied"), v.array(v.string())]),
});

type Written = v.InferOutput<typeof schema>;

/**
 * What the cases of a file come to, in their order.
 * @throws {Failure} invalid: every case that cannot be asked, with its place.
 */
export function tryCases(
  ruleset: Ruleset,
  { tests, placeOf }: PolicyFile,
  nowMs: number,
): PolicyCaseOutcome[] {
  const faults: { field: string; message: string }[] = [];
  const asked = tests.flatMap((written, at) => {
    try {
      return [read(written, nowMs)];
    } catch (thrown) {
      faults.push({
        field: placeOf(["tests", at]),
        message: thrown instanceof Error ? thrown.message : String(thrown),
      });
      return [];
    }
  });
  if (faults.length > 0) throw invalidFields(faults);
  return asked.map(({ name, expect, ...one }) => {
    const deniedBy = judge(ruleset, one).map(({ rule }) => rule);
    const difference = differenceOf(expect, deniedBy);
    return create(PolicyCaseOutcomeSchema, { name, deniedBy, difference, passed: difference === "" });
  });
}

function read(given: unknown, nowMs: number): Case & Pick<Written, "name" | "expect"> {
  const parsed = v.safeParse(schema, given);
  if (!parsed.success) {
    const [{ path = [], message }] = parsed.issues;
    throw new Error(`${path.map(({ key }) => String(key)).join(".") || evidence(given)}: ${message}`);
  }
  const { name, expect, caller, totals, now } = parsed.output;
  const { door, actor, agent, task_id: taskId } = caller;
  return {
    ...{ name, expect, asked: askedOf(parsed.output) },
    caller: create(CallerSchema, { door: doors[door], actor, agent, taskId }),
    totals: totals === undefined ? create(PolicyTotalsSchema) : messageOf(PolicyTotalsSchema, totals),
    nowMs: now === undefined ? nowMs : Date.parse(now),
  };
}

function askedOf({ command, request, agent, runtime }: Written): Case["asked"] {
  const given = [command, agent, runtime].filter((one) => one !== undefined);
  if (given.length !== 1) throw new Error("asks for one thing: a command, an agent or a runtime");
  if (agent !== undefined) return { container: containerAskOf(messageOf(AgentSpecSchema, agent)) };
  if (runtime !== undefined) return { container: containerAskOf(messageOf(RuntimeSpecSchema, runtime)) };
  const field = CommandSchema.fields.find((one) => one.name === command && one.oneof?.name === "request");
  if (command === undefined || !field?.message) throw new Error(`there is no command ${evidence(command)}`);
  return { command, request: messageOf(field.message, request ?? {}) };
}

/** A message as its JSON form says it, by the names of the contract. */
function messageOf<D extends DescMessage>(desc: D, given: JsonValue): ReturnType<typeof fromJson<D>> {
  return fromJson(desc, given);
}

function differenceOf(expect: Written["expect"], deniedBy: readonly string[]): string {
  const came = deniedBy.length === 0 ? "it is allowed" : `it is denied by ${deniedBy.join(", ")}`;
  if (expect === "allowed") return deniedBy.length === 0 ? "" : came;
  if (expect === "denied") return deniedBy.length > 0 ? "" : came;
  const isSame = expect.length === deniedBy.length && expect.every((rule) => deniedBy.includes(rule));
  return isSame ? "" : `${came}, not by ${expect.join(", ") || "nothing"}`;
}
