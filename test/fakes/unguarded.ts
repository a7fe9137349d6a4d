import { create } from "@bufbuild/protobuf";
import { CallerSchema, Door } from "../../gen/edge/v1/policy_pb.ts";
import type { Guard } from "../../src/daemon/work/index.ts";

/** Allows everything and notes nothing: for tests of something else. */
export const unguarded: Guard = { judge: () => ({ note() {} }), ended() {} };

/** Who asks at the node's own door. */
export const localCaller = create(CallerSchema, { door: Door.LOCAL, actor: "local" });
