import { RuntimeProfile, type RuntimeSpec } from "../../../gen/edge/v1/runtimes_pb.ts";
import type { Rlimit } from "../engine/index.ts";

/** What a profile gives to a runtime that does not say otherwise. */
export interface Profile {
  stopGraceMs: number;
  /** Where the runtime's own volume is mounted. */
  volumePath: string;
  /** Volumes beside its own, for what its program is built of on the spot. */
  volumes: readonly ProfileVolume[];
  capabilities: readonly string[];
  /** -1 is unlimited. An engine that may not raise one has the runtime do without. */
  rlimits: Readonly<Partial<Record<Rlimit, number>>>;
}

/** A volume for files that fit one version of the image only: each image has its own. */
export interface ProfileVolume {
  name: string;
  path: string;
  /** The version of the profiles that brought it: see `profileVersion`. */
  since: number;
}

/**
 * Counts what profiles mount. A wish keeps the version that it was created with: its container, made again after an upgrade of
 * the daemon, is what it was, and no running one is replaced. Other defaults (grace, limits) reach a container when it is next
 * made, and need no version.
 */
export const profileVersion = 2;

/**
 * A soft PLC. 30 s, because it writes its retained variables when it is told to end. Users, secrets and retained variables are in
 * its own volume, which outlives an update; the compiled program, its sources and the TLS pair beside the web server's code fit
 * one version of the runtime. They would be in the writable layer, and lost with a container that is made again. Its
 * `plugins.conf` stays there: it is a single file, and no volume can be mounted upon one; an upload writes it again.
 */
const openplc: Profile = {
  stopGraceMs: 30_000,
  volumePath: "/var/run/runtime",
  volumes: [
    { name: "build", path: "/workdir/build", since: 2 },
    { name: "generated", path: "/workdir/core/generated", since: 2 },
    { name: "webserver", path: "/workdir/webserver", since: 2 },
  ],
  capabilities: ["SYS_NICE"],
  rlimits: { rtprio: 99, memlock: -1 },
};

const plain: Profile = {
  ...{ stopGraceMs: 10_000, volumePath: "/data", volumes: [], capabilities: [], rlimits: {} },
};

/** Whether a number that came over the wire is a profile: proto3 lets any number through. */
export function isKnownProfile(profile: RuntimeProfile): boolean {
  return Object.values<number>(RuntimeProfile).includes(profile);
}

/** The profile of a spec. Who names none gets that of the product's first use. */
export function profileOf({ profile }: Pick<RuntimeSpec, "profile">): Profile {
  return profile === RuntimeProfile.PLAIN ? plain : openplc;
}

/** Time between SIGTERM and SIGKILL for a runtime, in milliseconds. */
export function stopGraceMsOf(spec: RuntimeSpec): number {
  return spec.stopGraceMs || profileOf(spec).stopGraceMs;
}
