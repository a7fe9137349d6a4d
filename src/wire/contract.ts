import { createRegistry } from "@bufbuild/protobuf";
import { file_edge_v1_broker } from "../../gen/edge/v1/broker_pb.ts";
import { CommandSchema } from "../../gen/edge/v1/command_pb.ts";

/** All messages and enums of which commands and the broker's calls are made, by their names. */
export const contract = createRegistry(
  CommandSchema.file,
  ...CommandSchema.file.dependencies,
  file_edge_v1_broker,
);
