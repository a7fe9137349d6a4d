import type { AgentSpec } from "../../../gen/edge/v1/agents_pb.ts";

/** One version of an agent, as it was deployed. */
export interface Deployed {
  name: string;
  /** 1 for the first, then one more each. */
  version: number;
  spec: AgentSpec;
  /** What its image's reference meant then: the digest, empty for an image that came from no registry, and the engine's id. */
  imageDigest: string;
  imageId: string;
  /** Wall time in milliseconds. */
  deployedAt: number;
  actor: string;
}
