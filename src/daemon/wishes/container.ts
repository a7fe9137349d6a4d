import type Docker from "dockerode";
import type { RuntimeSpec } from "../../../gen/edge/v1/runtimes_pb.ts";
import { Ipv6Mode } from "../../../gen/edge/v1/vnics_pb.ts";
import { label } from "../../wire/labels.ts";
import { objectName, type Rlimit } from "../engine/index.ts";
import { cpuSharesOf } from "./cpu-shares.ts";
import { gpuRequestsOf } from "./gpus.ts";
import { lockMount } from "./lock-mount.ts";
import { type Mounting, mountsOf, tmpfsOf } from "./mounts.ts";
import { profileOf, stopGraceMsOf } from "./profile.ts";
import { ulimitsOf } from "./ulimits.ts";

/** Who asks for an object of the engine: all of it goes into labels. */
export interface Origin {
  instanceId: string;
  commandId: string;
}

/** What a container is made from. */
export interface ContainerPlan extends Mounting, Origin {
  madeHash: string;
  /** A reference of the very image that it is made of. */
  image: string;
  /** The limits that this engine may not raise. */
  refused: ReadonlySet<Rlimit>;
  /** Of the engine's control groups. */
  cgroupVersion: 1 | 2;
  /** Whether the runtime had a container before. */
  isReplacement: boolean;
  /** Its lock folder, as the engine sees it; for a spec with a place for one. */
  lockFolder?: string;
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
  const { spec, madeHash, refused, image: Image } = plan;
  const profile = profileOf(spec);
  const name = objectName(plan.instanceId, spec.name);
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
    Image,
    // The image's own count where the spec has none.
    ...(spec.command.length > 0 && { Cmd: spec.command }),
    ...(spec.entrypoint.length > 0 && { Entrypoint: spec.entrypoint }),
    ...imageCheckOf(spec),
    Env: spec.env.map((one) => `${one.name}=${one.value}`),
    Labels: {
      ...Object.fromEntries(spec.labels.map(({ key, value }) => [key, value])),
      ...labelsOf(spec.name, plan),
      [label.specHash]: madeHash,
      ...(plan.isReplacement && { [label.replaces]: "yes" }),
    },
    // The engine's own timeout, for whoever stops it by hand; in whole seconds, never less than was asked for.
    StopTimeout: Math.ceil(stopGraceMsOf(spec) / 1000),
    ExposedPorts: Object.fromEntries(ports.map(([inside]) => [inside, {}])),
    HostConfig: {
      NetworkMode: name,
      RestartPolicy: { Name: "no" },
      CapAdd: [...new Set([...profile.capabilities, ...spec.capabilities])],
      Ulimits: ulimitsOf(spec, refused),
      LogConfig: { Type: "json-file", Config: logLimitsOf(spec) },
      Mounts: [
        ...mountsOf(plan, plan.instanceId).map(({ volume, path, readOnly }) => ({
          ...{ Type: "volume" as const, Source: volume, Target: path, ReadOnly: readOnly },
          // The engine makes a volume that is not there: one that a request of an earlier life made is ours, too.
          VolumeOptions: {
            NoCopy: false,
            Labels: labelsOf(spec.name, plan),
            DriverConfig: { Name: "", Options: {} },
          },
        })),
        ...lockMount(spec.lockPath, plan.lockFolder),
      ],
      Tmpfs: tmpfsOf(spec),
      PortBindings: bindings,
      Sysctls: sysctlsOf(spec),
      ...limitsOf(spec, plan.cgroupVersion),
      ...gpuRequestsOf(spec),
    },
  };
}

/**
 * What becomes of the image's own check. The engine does it where the spec says nothing, or only how often; where the daemon
 * checks, it is turned off.
 */
export function imageCheckOf({ health }: RuntimeSpec): Pick<Docker.ContainerCreateOptions, "Healthcheck"> {
  if (!health) return {};
  if (health.disabled || health.http || health.tcp || health.exec) {
    return { Healthcheck: { Test: ["NONE"] } };
  }
  const times = {
    Interval: health.intervalMs * nanoseconds,
    Timeout: health.timeoutMs * nanoseconds,
    StartPeriod: health.startPeriodMs * nanoseconds,
    Retries: health.failures,
  };
  const isGiven = Object.values(times).some((one) => one > 0);
  return isGiven ? { Healthcheck: times } : {};
}

/** In a millisecond: the engine counts in them. */
const nanoseconds = 1_000_000;

/** The engine turns IPv6 off in a container whose own networks have none, for interfaces that come later, too. */
export function sysctlsOf({ vnics }: RuntimeSpec): Record<string, string> {
  const hasIpv6 = vnics.some(({ ipv6Mode }) => ipv6Mode === Ipv6Mode.SLAAC || ipv6Mode === Ipv6Mode.STATIC);
  if (!hasIpv6) return {};
  return { "net.ipv6.conf.all.disable_ipv6": "0", "net.ipv6.conf.default.disable_ipv6": "0" };
}

/** How much of its output is kept when nobody says. Bounded, because nobody looks after the disk of a machine in a cabinet. */
export const usualLog = { fileBytes: 10_000_000n, files: 3 };

function logLimitsOf({ log }: RuntimeSpec): Record<string, string> {
  const fileBytes = log?.fileBytes || usualLog.fileBytes;
  return { "max-size": String(fileBytes), "max-file": String(log?.files || usualLog.files) };
}

/** A period of 100 ms is the kernel's own: a program that has used up its quota stands still until the next one. */
const quotaPeriodUs = 100_000;

/** What its limits are, in the engine's words. */
export function limitsOf({ resources }: RuntimeSpec, cgroupVersion: 1 | 2): Docker.HostConfig {
  if (!resources) return {};
  const { memoryBytes, cpuset, pidsLimit, cpuWeight, cpuQuotaMillis } = resources;
  const CpuShares = cpuSharesOf(cpuWeight, cgroupVersion);
  return {
    ...(memoryBytes > 0n && { Memory: Number(memoryBytes), MemorySwap: Number(memoryBytes) }),
    ...(cpuset !== "" && { CpusetCpus: cpuset }),
    ...(pidsLimit > 0n && { PidsLimit: Number(pidsLimit) }),
    ...(CpuShares !== undefined && { CpuShares }),
    ...(cpuQuotaMillis > 0 && {
      CpuPeriod: quotaPeriodUs,
      CpuQuota: (cpuQuotaMillis * quotaPeriodUs) / 1000,
    }),
  };
}
