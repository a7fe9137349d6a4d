import { create, type Message } from "@bufbuild/protobuf";
import { CommandSchema } from "../../../gen/edge/v1/command_pb.ts";
import {
  CallerSchema,
  type CheckPolicyRequest,
  type CheckPolicyResponse,
  CheckPolicyResponseSchema,
  Door,
  type GetPolicyResponse,
  type TestPolicyRequest,
  type TestPolicyResponse,
  TestPolicyResponseSchema,
} from "../../../gen/edge/v1/policy_pb.ts";
import { evidence } from "../../base/evidence.ts";
import { invalidField } from "../../base/failure.ts";
import type { Ask } from "../work/index.ts";
import { containerAskOf } from "./container-ask.ts";
import type { Asked } from "./decider.ts";
import type { Policy } from "./policy.ts";

interface Rooms {
  policy: Policy;
}

/** What the policy would say. Nothing is done, and nothing is noted. */
export async function checkPolicy(
  { policy }: Rooms,
  { subject, caller }: CheckPolicyRequest,
  ask: Ask,
): Promise<CheckPolicyResponse> {
  const who = caller ?? ask.caller ?? create(CallerSchema, { door: Door.NODE, actor: ask.actor });
  const denials = policy.judge(who, askedOf(subject));
  return create(CheckPolicyResponseSchema, { allowed: denials.length === 0, denials });
}

/** A wish is judged as such: what is there already is no part of it. */
function askedOf(subject: CheckPolicyRequest["subject"]): Asked {
  switch (subject.case) {
    case "runtime":
    case "agent":
      return { container: containerAskOf(subject.value), totals: {} };
    case "command":
      return { command: subject.value, request: emptyRequest(subject.value) };
    default:
      throw invalidField("subject", "nothing is asked about: name a runtime, an agent or a command");
  }
}

export async function getPolicy({ policy }: Rooms): Promise<GetPolicyResponse> {
  return policy.get();
}

/** @throws {Failure} invalid: the text is no policy, or a case of it cannot be asked; every fault with its place. */
export async function testPolicy(
  { policy }: Rooms,
  { text }: TestPolicyRequest,
): Promise<TestPolicyResponse> {
  return create(TestPolicyResponseSchema, { cases: await policy.test(text) });
}

/** A request that says nothing. @throws {Failure} invalid: there is no such command. */
function emptyRequest(command: string): Message {
  const field = CommandSchema.fields.find(({ name, oneof }) => name === command && oneof?.name === "request");
  if (field?.message) return create(field.message);
  throw invalidField(
    "command",
    `there is no command ${evidence(command)}: they are named as in delete_runtime`,
  );
}
