import { lstat, realpath } from "node:fs/promises";
import { dirname } from "node:path";
import type { AgentSpec } from "../../../gen/edge/v1/agents_pb.ts";
import { type FieldViolation, refusedFields } from "../../base/failure.ts";
import { isWithin } from "./check.ts";

/** What no policy can give to an agent: by these a program becomes the node, or reads the kernel's mind. */
const neverMounted = ["/proc", "/sys", "/dev", "/run", "/var/run", "/boot"];

/**
 * Refuses folders of the node that no cell may see: ours and the engine's, what holds them or lies in them, and what another name
 * leads to. Looked at just before the engine mounts them, so nobody who is as weak as a cell may be able to change the way.
 * @param kept folders of ours and of the engine.
 * @throws {Failure} denied, with every violation.
 */
export async function checkHostMounts(
  { mounts }: Pick<AgentSpec, "mounts">,
  { userId, kept }: { userId: number; kept: readonly string[] },
): Promise<void> {
  const violations: FieldViolation[] = [];
  for (const [at, { nodePath }] of mounts.entries()) {
    const message = await wrongWith(nodePath, userId, [...neverMounted, ...kept]);
    if (message !== undefined) violations.push({ field: `spec.mounts[${at}].node_path`, message });
  }
  if (violations.length > 0) throw refusedFields("denied", violations);
}

async function wrongWith(path: string, userId: number, kept: readonly string[]): Promise<string | undefined> {
  const place = kept.find((one) => isWithin(path, one) || isWithin(one, path));
  if (place !== undefined) return `${path} would show ${place} to the agent, which is never done`;
  const real = await realpath(path).catch(() => undefined);
  if (real === undefined) return `${path} is not there, as far as the daemon sees: make it first`;
  if (real !== path) return `${path} is another name of ${real}: give that one`;
  for (let folder = dirname(path); folder !== "/"; folder = dirname(folder)) {
    const { mode, uid } = await lstat(folder);
    // In a folder with the sticky bit only the owner of something can put a link in its place.
    const isOpen = (mode & 0o022) !== 0 && (mode & 0o1000) === 0;
    if (isOpen || uid === userId)
      return `${folder}, on the way to ${path}, can be changed by others than root`;
  }
  return undefined;
}
