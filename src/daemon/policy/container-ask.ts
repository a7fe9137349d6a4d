import { posix } from "node:path";
import { create } from "@bufbuild/protobuf";
import { type AgentSpec, AgentSpecSchema } from "../../../gen/edge/v1/agents_pb.ts";
import { type ContainerAsk, ContainerAskSchema } from "../../../gen/edge/v1/policy_pb.ts";
import type { RuntimeSpec } from "../../../gen/edge/v1/runtimes_pb.ts";
import { imageAskOf } from "./image-ask.ts";

/** What an agent has when its manifest says nothing: see AgentResources and AgentSpec of the contract. */
const usual = { memoryBytes: 128 << 20, cpuMillis: 1_000, pids: 64, userId: 65_532 };

/** What of a wish policy judges: the container that it would be. */
export function containerAskOf(spec: AgentSpec | RuntimeSpec): ContainerAsk {
  const { name, labels } = spec;
  const tenant = labels.find(({ key }) => key === "tenant")?.value ?? "";
  const about = isAgent(spec) ? ofAgent(spec) : ofRuntime(spec);
  return create(ContainerAskSchema, { name, labels, tenant, image: imageAskOf(spec.image), ...about });
}

function isAgent(spec: AgentSpec | RuntimeSpec): spec is AgentSpec {
  return spec.$typeName === AgentSpecSchema.typeName;
}

function ofAgent({ resources, mounts, network, isolation, credentials, userId }: AgentSpec) {
  const { memoryBytes = 0n, cpuMillis = 0, pids = 0 } = resources ?? {};
  const egress = network?.allow ?? [];
  return {
    kind: "agent",
    memoryBytes: memoryBytes || BigInt(usual.memoryBytes),
    cpuMillis: BigInt(cpuMillis || usual.cpuMillis),
    pids: BigInt(pids || usual.pids),
    // `/srv/models/../../etc` is /etc, whatever a list allows.
    mounts: mounts.map((mount) => ({ ...mount, nodePath: posix.normalize(mount.nodePath) })),
    userId: userId || usual.userId,
    network: egress.length > 0 ? "allow-list" : "none",
    egress,
    isolation: isolation || "container",
    credentials: credentials.map((one) => one.name),
  };
}

function ofRuntime({ resources, devices, capabilities, vnics }: RuntimeSpec) {
  const { memoryBytes = 0n, cpuQuotaMillis = 0, pidsLimit = 0n } = resources ?? {};
  return {
    kind: "runtime",
    memoryBytes,
    cpuMillis: BigInt(cpuQuotaMillis),
    pids: pidsLimit,
    devices: devices.map(({ nodePath }) => nodePath),
    capabilities,
    network: vnics.length > 0 ? "lan" : "node",
    isolation: "container",
  };
}
