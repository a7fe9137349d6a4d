import { create } from "@bufbuild/protobuf";
import {
  DeployAgentResponseSchema,
  GetAgentResponseSchema,
  ListAgentsResponseSchema,
  RemoveAgentResponseSchema,
  RollbackAgentResponseSchema,
} from "../../../gen/edge/v1/agents_pb.ts";
import { invalidField } from "../../base/failure.ts";
import type { CommandCase } from "../../wire/commands.ts";
import type { Handler } from "../work/index.ts";
import type { Agents } from "./agents.ts";

/** A handler of this room. What it promises is said at the method of `edge.v1.Agents`. */
type Handles<C extends CommandCase> = Handler<{ agents: Agents }, C>;

export const deployAgent: Handles<"deployAgent"> = async ({ agents }, { spec }, ask) => {
  if (!spec) throw invalidField("spec", "is required");
  return create(DeployAgentResponseSchema, await agents.deploy(spec, ask));
};

export const getAgent: Handles<"getAgent"> = async ({ agents }, { name }) =>
  create(GetAgentResponseSchema, { agent: agents.get(name) });

export const listAgents: Handles<"listAgents"> = async ({ agents }) =>
  create(ListAgentsResponseSchema, { agents: agents.list() });

export const rollbackAgent: Handles<"rollbackAgent"> = async ({ agents }, { name, version }, ask) =>
  create(RollbackAgentResponseSchema, { agent: await agents.rollback(name, version, ask) });

export const removeAgent: Handles<"removeAgent"> = async ({ agents }, { name, ...how }, ask) =>
  create(RemoveAgentResponseSchema, { cancelled: await agents.remove(name, how, ask) });
