import { type DescMethod, equals, toBinary } from "@bufbuild/protobuf";
import { MethodOptions_IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { Agents } from "../../gen/edge/v1/agents_pb.ts";
import { Audit } from "../../gen/edge/v1/audit_pb.ts";
import { type Command, CommandSchema, type Result, ResultSchema } from "../../gen/edge/v1/command_pb.ts";
import { Credentials } from "../../gen/edge/v1/credentials_pb.ts";
import { Events } from "../../gen/edge/v1/events_pb.ts";
import { Gateway } from "../../gen/edge/v1/gateway_pb.ts";
import { Invoke } from "../../gen/edge/v1/invoke_pb.ts";
import { Memory } from "../../gen/edge/v1/memory_pb.ts";
import { Node } from "../../gen/edge/v1/node_pb.ts";
import { Policy } from "../../gen/edge/v1/policy_pb.ts";
import { Runtimes } from "../../gen/edge/v1/runtimes_pb.ts";
import { Sessions } from "../../gen/edge/v1/sessions_pb.ts";
import { Tasks } from "../../gen/edge/v1/tasks_pb.ts";
import { Topics } from "../../gen/edge/v1/topics_pb.ts";
import { Updates } from "../../gen/edge/v1/updates_pb.ts";
import { Wishes } from "../../gen/edge/v1/wishes_pb.ts";
import { failure } from "../base/failure.ts";
import { maxFrameBytes } from "./limits.ts";
import { validate } from "./validation.ts";

type SetCase<T> = Exclude<T, { case: undefined } | { case?: undefined }>;
type Request = SetCase<Command["request"]>;
type Outcome = SetCase<Result["outcome"]>;

/** The name of a capability: a case of `Command.request`, and of `Result.outcome`. */
export type CommandCase = Request["case"];
/** The request message of a capability. */
export type RequestOf<C extends CommandCase> = Extract<Request, { case: C }>["value"];
/** The response message of a capability. */
export type ResponseOf<C extends CommandCase> = Extract<Outcome, { case: C }>["value"];

/** The services whose methods are commands to a node. Doors two and three are made from them. */
export const nodeServices = [
  ...[Runtimes, Wishes, Node, Events, Invoke, Updates],
  ...[Agents, Tasks, Policy, Credentials, Gateway, Sessions, Topics, Memory, Audit],
];

/** Services whose commands may be about one thing with a name, and what that is. */
const nouns = new Map<string, string>([
  [Runtimes.typeName, "runtime"],
  [Agents.typeName, "agent"],
  [Credentials.typeName, "credential"],
]);

/** One capability, as the contract says it. */
export interface Capability {
  case: CommandCase;
  method: DescMethod;
  /**
   * A read has no side effects: it is never queued for a node that is away, never kept, and never repeated. It travels with
   * sequence 0. See docs/decisions/0004-reads-are-not-commands-to-keep.md.
   */
  isRead: boolean;
}

/**
 * Every capability, from the descriptors: the method's input is the type of a case of Command, its output that of the same
 * case of Result. Throws when the contract is not whole, which a test finds before anybody else.
 */
export const capabilities: readonly Capability[] = nodeServices.flatMap((service) =>
  service.methods.map((method) => {
    const name = caseOf(CommandSchema, "request", method.input.typeName);
    if (name === undefined || name !== caseOf(ResultSchema, "outcome", method.output.typeName)) {
      throw new Error(`${service.typeName}.${method.name} is not a case of both Command and Result`);
    }
    if (method.methodKind !== "unary") throw new Error(`${service.typeName}.${method.name} must be unary`);
    return {
      case: name as CommandCase, // The case was found in Command's descriptor, from which the type is made.
      method,
      isRead: method.idempotency === MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS,
    };
  }),
);

const byCase = new Map(capabilities.map((one) => [one.case, one]));

/** The capability of a command, or undefined when this program does not know what is asked. */
export function capabilityOf(command: Command): Capability | undefined {
  return command.request.case && byCase.get(command.request.case);
}

/** The command's name in the contract, as in `deploy_agent`, or undefined when this program does not know what is asked. */
export function commandNameOf({ request }: Pick<Command, "request">): string | undefined {
  return request.case && CommandSchema.field[request.case]?.name;
}

/**
 * The workload that a command is about, as in `runtime/plc1`: commands of one workload run in order. Undefined when it is
 * about none.
 */
export function workloadOf(command: Command): string | undefined {
  const noun = nouns.get(capabilityOf(command)?.method.parent.typeName ?? "");
  const { value } = command.request;
  if (noun === undefined || value === undefined) return undefined;
  if ("name" in value && value.name !== "") return `${noun}/${value.name}`;
  if ("spec" in value && value.spec) return `${noun}/${value.spec.name}`;
  return undefined;
}

/** What the frame around a command takes, in bytes. */
const envelopeBytes = 64;

/**
 * What a command must be before anybody keeps it or carries it out. `here` is who looks at it, for the sentence.
 * @throws {Failure} unsupported, exhausted, invalid.
 */
export function checkCommand(command: Command, here: "this hub" | "this node"): void {
  if (!capabilityOf(command)) {
    throw failure(
      "unsupported",
      `${here} does not know what the command asks: it is older than the caller, or the request is empty`,
    );
  }
  const sizeBytes = toBinary(CommandSchema, command).length + envelopeBytes;
  if (sizeBytes > maxFrameBytes) {
    throw failure(
      "exhausted",
      `the command is ${sizeBytes} bytes long; at most ${maxFrameBytes} are allowed`,
    );
  }
  validate(CommandSchema, command);
}

/** Whether two commands ask the same. Who asks, how long it may take and who traces it do not matter. */
export function isSameAsk(one: Command, other: Command): boolean {
  const plain = (command: Command): Command => ({ ...command, actor: "", budgetMs: 0, traceparent: "" });
  return equals(CommandSchema, plain(one), plain(other));
}

function caseOf(
  schema: typeof CommandSchema | typeof ResultSchema,
  oneof: string,
  typeName: string,
): string | undefined {
  return schema.oneofs
    .find((one) => one.name === oneof)
    ?.fields.find((field) => field.message?.typeName === typeName)?.localName;
}
