import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { failure } from "../../base/failure.ts";
import { readText } from "../../base/yaml-file.ts";
import { parsePolicyFile } from "./file.ts";
import { type Ruleset, rulesetOf, rulesOf, valuesOf } from "./ruleset.ts";
import type { PolicySettings } from "./settings.ts";

/** What is in force. */
export interface InForce {
  ruleset: Ruleset;
  /** Its file; empty when the profile alone is in force. */
  path: string;
  sha256: string;
  loadedAt: number;
}

/**
 * Reads the policy that settings name.
 * @throws {Failure} invalid: its file cannot be read, or is wrong; every fault with its place.
 */
export async function load(settings: PolicySettings, nowMs: number): Promise<InForce> {
  const { file: path } = settings;
  if (path === undefined) {
    return { ruleset: rulesetOf(settings), path: "", sha256: "", loadedAt: nowMs };
  }
  const source = { path, what: "the policy file" };
  const text = await readText(source);
  await mustBeTheOwners(path);
  const file = await parsePolicyFile(text, source);
  const sha256 = createHash("sha256").update(text).digest("hex");
  return { ruleset: rulesetOf(settings, file), path, sha256, loadedAt: nowMs };
}

/** Whoever may write the file decides what is allowed. @throws {Failure} invalid: more than root and the daemon's own user may. */
async function mustBeTheOwners(path: string): Promise<void> {
  const { uid, mode } = await stat(path);
  const isOurs = uid === 0 || uid === process.getuid?.();
  if (isOurs && (mode & 0o022) === 0) return;
  const next = "chown it to root, and chmod go-w it";
  throw failure(
    "invalid",
    `the policy file ${path} may be written by others than root and the daemon's user: ${next}`,
  );
}

/** Names of lists, quotas and rules that are other than before. */
export function differences(before: Ruleset, now: Ruleset): string[] {
  const [was, is] = [before, now].map(
    (one) =>
      new Map([
        ["profile", one.profile],
        ...valuesOf(one).map(({ name, values }) => [name, values.join("\0")] as const),
        ...rulesOf(one).map(
          ({ id, denyWhen, message }) => [`rules.${id}`, `${denyWhen}\0${message}`] as const,
        ),
      ]),
  );
  const names = new Set([...(was?.keys() ?? []), ...(is?.keys() ?? [])]);
  return [...names].filter((name) => was?.get(name) !== is?.get(name));
}
