import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type Agent,
  AgentSchema,
  type AgentVersion,
  AgentVersionSchema,
} from "../../../gen/edge/v1/agents_pb.ts";
import type { Deployed } from "./deployed.ts";

/** An agent as it is told. */
export function messageOf({
  current,
  versions,
  nextRunAt,
  ...counts
}: {
  current: Deployed;
  versions: readonly Deployed[];
  nextRunAt: number | undefined;
  queued: number;
  running: number;
  warm: number;
  problem: string;
}): Agent {
  return create(AgentSchema, {
    ...counts,
    name: current.name,
    current: versionOf(current),
    versions: versions.map(versionOf),
    ...(nextRunAt !== undefined && { nextRunAt: timestampFromMs(nextRunAt) }),
  });
}

function versionOf({ version, spec, imageDigest, imageId, deployedAt, actor }: Deployed): AgentVersion {
  const at = timestampFromMs(deployedAt);
  return create(AgentVersionSchema, { version, spec, imageDigest, imageId, deployedAt: at, actor });
}
