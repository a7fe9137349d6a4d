import type { RuntimeSpec } from "../../../gen/edge/v1/runtimes_pb.ts";
import { harmless } from "../../base/evidence.ts";
import type { FieldViolation } from "../../base/failure.ts";
import { objectName } from "../engine/index.ts";
import { profileOf } from "./profile.ts";
import type { Wish } from "./wish.ts";

/** A volume of a runtime. */
export interface Mount {
  /** Its name at the engine. */
  volume: string;
  /** Its name within the runtime; empty for the runtime's own. */
  name: string;
  path: string;
  readOnly: boolean;
}

/** What decides about the volumes of a runtime. */
export type Mounting = Pick<Wish, "name" | "spec" | "profileVersion" | "imageId" | "imageDigest">;

/**
 * The volumes that a runtime's container has: its own, those of its spec, and those of its profile whose places are free. A dot
 * parts the names, which neither of them has: else volume `b` of runtime `a` would be that of runtime `a-b`. A volume of the
 * profile is named after its image, too: a program compiled by one version is no good to another.
 */
export function mountsOf(wish: Mounting, instanceId: string): Mount[] {
  const { spec } = wish;
  const own = objectName(instanceId, wish.name);
  const mounts: Mount[] = [
    { volume: own, name: "", path: spec.volumePath || profileOf(spec).volumePath, readOnly: false },
    ...spec.volumes.map(({ name, path, readOnly }) => ({ volume: `${own}.${name}`, name, path, readOnly })),
  ];
  const taken = new Set(
    [...mounts.map(({ path }) => path), ...spec.tmpfs.map(({ path }) => path), spec.lockPath].map(placeOf),
  );
  const version = (wish.imageDigest || wish.imageId).replace(/^sha256:/, "").slice(0, 12);
  const profiles = profileOf(spec)
    .volumes.filter(({ path, since }) => since <= wish.profileVersion && !taken.has(placeOf(path)))
    .map(({ name, path }) => ({ volume: `${own}.${name}.${version}`, name, path, readOnly: false }));
  return [...mounts, ...profiles];
}

/** Those that fit one version of its image only: no other version has a use for them. */
export function versionVolumesOf(wish: Mounting, instanceId: string): string[] {
  const own = objectName(instanceId, wish.name);
  const names = mountsOf(wish, instanceId).map(({ volume }) => volume);
  return names.filter((volume) => volume.slice(own.length).split(".").length > 2);
}

/** What a file system in memory holds at most when nobody says, in bytes. */
export const usualTmpfsBytes = 64 << 20;

/** File systems in memory, as the engine takes them. */
export function tmpfsOf({ tmpfs }: RuntimeSpec): Record<string, string> {
  return Object.fromEntries(
    tmpfs.map(({ path, sizeBytes }) => [path, `size=${sizeBytes || usualTmpfsBytes}`]),
  );
}

/** What the rules of the contract cannot say of where things are mounted. */
export function wrongMounts(spec: RuntimeSpec): FieldViolation[] {
  const own = {
    field: "spec.volume_path",
    kind: "volume",
    path: spec.volumePath || profileOf(spec).volumePath,
  };
  const places = [
    own,
    ...spec.volumes.map(({ path }, at) => ({ field: `spec.volumes[${at}].path`, kind: "volume", path })),
    ...spec.tmpfs.map(({ path }, at) => ({ field: `spec.tmpfs[${at}].path`, kind: "tmpfs", path })),
    ...(spec.lockPath === "" ? [] : [{ field: "spec.lock_path", kind: lockFolder, path: spec.lockPath }]),
  ];
  return places.flatMap((place, index) => {
    const { field, path, kind } = place;
    if (path.split("/").some((part) => part === "." || part === "..")) {
      return [{ field, message: "must not contain '.' or '..' as a folder" }];
    }
    const whose = keptBy(path, kind);
    if (whose !== undefined) return [{ field, message: `${harmless(path)} is ${whose}: choose another` }];
    return places.slice(0, index).flatMap((other) => {
      const message = whyNotBoth(place, other);
      return message === undefined ? [] : [{ field, message }];
    });
  });
}

const lockFolder = "lock folder";

interface Place {
  field: string;
  kind: string;
  path: string;
}

/** One above the other is fine for two volumes, and for a lock folder in another: the engine mounts the outer one first. */
function whyNotBoth(one: Place, other: Place): string | undefined {
  const [here, there] = [placeOf(one.path), placeOf(other.path)];
  const named = other.path === one.path ? other.field : `${harmless(other.path)} of ${other.field}`;
  if (here === there) return `is the place of ${named} already: each must be different`;
  if (one.kind === other.kind || !(isWithin(here, there) || isWithin(there, here))) return undefined;
  if (one.kind === lockFolder && isWithin(here, there)) return undefined;
  const why = "what is kept and what is forgotten must not lie in one another";
  return `${isWithin(here, there) ? "lies within" : "hides"} ${named}: ${why}`;
}

/** `/var/run` is `/run` in most images: a file system in memory at the one would hide a volume at the other. */
function placeOf(path: string): string {
  return path.replace(/^\/var\/run(?=\/|$)/, "/run");
}

function isWithin(path: string, folder: string): boolean {
  return path.startsWith(`${folder}/`);
}

/** Whose a place is where nothing of ours can be mounted; undefined when it is free. */
function keptBy(path: string, kind: string): string | undefined {
  if (/^\/(?:proc|sys)(?:\/|$)/.test(path)) return "the kernel's own";
  if (/^\/dev(?:\/|$)/.test(path) && !(kind === "tmpfs" && path === "/dev/shm")) return "the engine's own";
  return ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"].includes(path) ? "the engine's own" : undefined;
}
