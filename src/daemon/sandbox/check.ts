import type { AgentSpec } from "../../../gen/edge/v1/agents_pb.ts";
import type { FieldViolation } from "../../base/failure.ts";
import { memoryFolders } from "./resources.ts";

/** Where a cell's own files are, in each. */
export const ownFolder = "/run/orchestrator";

/** What a manifest mounts nothing upon: the kernel's file systems, and ours. */
const keptPlaces = ["/proc", "/sys", "/dev", ownFolder];

/** What of a manifest no cell can be made from, beyond the contract's rules. Nobody is asked. */
export function confinementViolations(
  spec: AgentSpec,
  imageVolumes: readonly string[] = [],
): FieldViolation[] {
  return [
    ...spec.tmpfs.flatMap(({ path }, at) => placeViolations(path, `spec.tmpfs[${at}].path`)),
    ...spec.mounts.flatMap(({ path }, at) => [
      ...placeViolations(path, `spec.mounts[${at}].path`),
      ...(spec.tmpfs.some((one) => one.path === path)
        ? [{ field: `spec.mounts[${at}].path`, message: `${path} is one of spec.tmpfs, too` }]
        : []),
    ]),
    ...spec.env.flatMap(({ name }, at) =>
      name.startsWith("ORCHESTRATOR_")
        ? [{ field: `spec.env[${at}].name`, message: "names that begin with ORCHESTRATOR_ are ours" }]
        : [],
    ),
    ...(spec.script !== "" && spec.command.length === 0
      ? [{ field: "spec.command", message: "a script needs its interpreter here, as in [python3]" }]
      : []),
    ...memoryFolders(spec, imageVolumes).violations,
  ];
}

function placeViolations(path: string, field: string): FieldViolation[] {
  if (path.split("/").some((part) => part === "." || part === "..")) {
    return [{ field, message: `${path} must not have . or .. in it` }];
  }
  const kept = keptPlaces.find((place) => isWithin(path, place) || isWithin(place, path));
  return kept === undefined ? [] : [{ field, message: `${path} would hide ${kept}, or lie in it` }];
}

/** Whether a path is a folder, or lies in it. */
export function isWithin(path: string, folder: string): boolean {
  return path === folder || folder === "/" || path.startsWith(`${folder}/`);
}
