import type Docker from "dockerode";
import { RuntimeProfile, type RuntimeSpec } from "../../../gen/edge/v1/runtimes_pb.ts";
import { Ipv6Mode } from "../../../gen/edge/v1/vnics_pb.ts";
import { fullReference, label, objectName } from "./names.ts";

/** A limit of processes that an engine may refuse to raise. */
export type Rlimit = "rtprio" | "memlock";

/** What a profile gives to a runtime that does not say otherwise. */
export interface Profile {
  stopGraceMs: number;
  volumePath: string;
  capabilities: readonly string[];
  /** -1 is unlimited. */
  rlimits: Readonly<Partial<Record<Rlimit, number>>>;
}

/** 30 s, because a soft PLC writes its retained variables when it is told to end. */
const openplc: Profile = {
  stopGraceMs: 30_000,
  volumePath: "/var/run/runtime",
  capabilities: ["SYS_NICE"],
  rlimits: { rtprio: 99, memlock: -1 },
};

const plain: Profile = { stopGraceMs: 10_000, volumePath: "/data", capabilities: [], rlimits: {} };

/** Whether a number that came over the wire is a profile: proto3 lets any number through. */
export function isKnownProfile(profile: RuntimeProfile): boolean {
  return Object.values<number>(RuntimeProfile).includes(profile);
}

/** The profile of a spec. Who names none gets that of the product's first use. */
export function profileOf({ profile }: RuntimeSpec): Profile {
  return profile === RuntimeProfile.PLAIN ? plain : openplc;
}

/** Time between SIGTERM and SIGKILL for a runtime, in milliseconds. */
export function stopGraceMsOf(spec: RuntimeSpec): number {
  return spec.stopGraceMs || profileOf(spec).stopGraceMs;
}

/** The limits that a runtime's container asks for, without those that this engine refuses. */
export function rlimitsOf(spec: RuntimeSpec, refused: ReadonlySet<Rlimit>): Rlimit[] {
  return (Object.keys(profileOf(spec).rlimits) as Rlimit[]).filter((one) => !refused.has(one));
}

/** Who asks for an object of the engine: all of it goes into labels. */
export interface Origin {
  instanceId: string;
  commandId: string;
}

/** What a container is made from. `refused` are the limits that this engine may not raise. */
export interface ContainerPlan extends Origin {
  spec: RuntimeSpec;
  specHash: string;
  refused: ReadonlySet<Rlimit>;
  /** Whether the runtime had a container before. */
  isReplacement: boolean;
}

/** Labels by which what we make is known again: whose it is, of which runtime, by which command. */
export function labelsOf(runtime: string, { instanceId, commandId }: Origin): Record<string, string> {
  return { [label.instance]: instanceId, [label.runtime]: runtime, [label.command]: commandId };
}

/**
 * A runtime's own network. It has no way out. With published ports it cannot be `internal`, because the engine publishes
 * nothing from an internal network; without masquerading nothing that goes out finds its way back.
 */
export function networkOptions(spec: RuntimeSpec, origin: Origin): Docker.NetworkCreateOptions {
  return {
    Name: objectName(origin.instanceId, spec.name),
    Driver: "bridge",
    CheckDuplicate: true,
    Internal: spec.ports.length === 0,
    Options: { "com.docker.network.bridge.enable_ip_masquerade": "false" },
    Labels: labelsOf(spec.name, origin),
  };
}

/**
 * A runtime's container. At first the engine does not start it again: we do, with a reason, until its program has shown that it
 * runs (`trust.ts`). Its network is given by name, because a container that knows a network by id is lost when the network is
 * made again.
 */
export function containerOptions(plan: ContainerPlan): Docker.ContainerCreateOptions {
  const { spec, specHash, refused } = plan;
  const profile = profileOf(spec);
  const name = objectName(plan.instanceId, spec.name);
  const { memoryBytes = 0n, cpuset = "", pidsLimit = 0n } = spec.resources ?? {};
  const ports = spec.ports.map(
    ({ runtimePort, nodePort }) => [`${runtimePort}/tcp`, String(nodePort)] as const,
  );
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const [inside, HostPort] of ports) {
    bindings[inside] = [...(bindings[inside] ?? []), { HostIp: "127.0.0.1", HostPort }];
  }
  return {
    name,
    Hostname: spec.name,
    Image: fullReference(spec.image),
    Env: spec.env.map((one) => `${one.name}=${one.value}`),
    Labels: {
      ...Object.fromEntries(spec.labels.map(({ key, value }) => [key, value])),
      ...labelsOf(spec.name, plan),
      [label.specHash]: specHash,
      ...(plan.isReplacement && { [label.replaces]: "yes" }),
    },
    // The engine's own timeout, for whoever stops it by hand; in whole seconds, never less than was asked for.
    StopTimeout: Math.ceil(stopGraceMsOf(spec) / 1000),
    ExposedPorts: Object.fromEntries(ports.map(([inside]) => [inside, {}])),
    HostConfig: {
      NetworkMode: name,
      RestartPolicy: { Name: "no" },
      CapAdd: [...profile.capabilities],
      Ulimits: rlimitsOf(spec, refused).map((Name) => {
        const value = profile.rlimits[Name] ?? 0;
        return { Name, Soft: value, Hard: value };
      }),
      // Bounded, because nobody looks after the disk of a machine in a cabinet.
      LogConfig: { Type: "json-file", Config: { "max-size": "10m", "max-file": "3" } },
      Mounts: [{ Type: "volume", Source: name, Target: spec.volumePath || profile.volumePath }],
      PortBindings: bindings,
      Sysctls: sysctlsOf(spec),
      ...(memoryBytes > 0n && { Memory: Number(memoryBytes), MemorySwap: Number(memoryBytes) }),
      ...(cpuset !== "" && { CpusetCpus: cpuset }),
      ...(pidsLimit > 0n && { PidsLimit: Number(pidsLimit) }),
    },
  };
}

/** The engine turns IPv6 off in a container whose own networks have none, for interfaces that come later, too. */
function sysctlsOf({ vnics }: RuntimeSpec): Record<string, string> {
  const hasIpv6 = vnics.some(({ ipv6Mode }) => ipv6Mode === Ipv6Mode.SLAAC || ipv6Mode === Ipv6Mode.STATIC);
  if (!hasIpv6) return {};
  return { "net.ipv6.conf.all.disable_ipv6": "0", "net.ipv6.conf.default.disable_ipv6": "0" };
}
