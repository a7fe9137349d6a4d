import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { failure } from "../../base/failure.ts";
import { writeWhole } from "../../base/files.ts";
import { isHostPort } from "../../base/setting-kinds.ts";
import { systemCode } from "../../base/system-code.ts";

/** What a node needs to be let in at its hub's line. */
export interface Identity {
  nodeId: string;
  /** PKCS #8, PEM. */
  keyPem: string;
  /** The node's certificate, then intermediates. */
  certificatePem: string;
  /** The roots that this node trusts, and no others. */
  caPem: string;
  /** `host:port` of the line, tried in order. */
  lineAddresses: readonly string[];
}

const schema = v.object({
  nodeId: v.pipe(v.string(), v.nonEmpty()),
  keyPem: v.string(),
  certificatePem: v.string(),
  caPem: v.string(),
  lineAddresses: v.pipe(v.array(v.pipe(v.string(), v.check(isHostPort))), v.minLength(1)),
});

/** The file of the identity in a daemon's data directory. */
export function identityFile(dataDir: string): string {
  return join(dataDir, "identity.json");
}

/**
 * Reads the identity; undefined before enrolment.
 * @throws {Failure} invalid: the file is there and cannot be used. It is left as it is: a new enrolment would make the hub
 * believe in a second machine.
 */
export async function readIdentity(dataDir: string): Promise<Identity | undefined> {
  const path = identityFile(dataDir);
  const text = await readText(path);
  if (text === undefined) return undefined;
  try {
    return parseIdentity(text);
  } catch (cause) {
    throw failure(
      "invalid",
      `${path} does not hold an identity that can be used: put it back from a backup, or enrol anew with \`orchestrator daemon enroll --force --token ...\``,
      { cause },
    );
  }
}

/** The identity that a text holds. @throws {Error} It holds none that can be used. */
export function parseIdentity(text: string): Identity {
  const identity = v.parse(schema, JSON.parse(text));
  const certificate = new X509Certificate(identity.certificatePem);
  if (!certificate.checkPrivateKey(createPrivateKey(identity.keyPem))) {
    throw new Error("its key does not belong to its certificate");
  }
  return identity;
}

/** Writes the identity, whole and synced, for its own user alone. */
export async function writeIdentity(dataDir: string, identity: Identity): Promise<void> {
  await writeWhole(identityFile(dataDir), `${JSON.stringify(identity, undefined, 2)}\n`);
}

/** When the identity's certificate ends: wall time in milliseconds. */
export function expiryOf({ certificatePem }: Identity): number {
  return new X509Certificate(certificatePem).validToDate.getTime();
}

/** The text of a file, or undefined when there is none. @throws {Failure} unavailable: it is there and cannot be read. */
export async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    if (systemCode(cause) === "ENOENT") return undefined;
    throw failure("unavailable", `${path} cannot be read: check its owner and its mode`, { cause });
  }
}
