import { createPrivateKey, X509Certificate } from "node:crypto";
import { unlink } from "node:fs/promises";
import { join } from "node:path";
import { failure } from "../../base/failure.ts";
import { removeWhole, writeWhole } from "../../base/files.ts";
import {
  type Identity,
  identityFile,
  parseIdentity,
  readIdentity,
  readText,
  writeIdentity,
} from "./identity.ts";
import { newKeyPem, signingRequest } from "./request.ts";
import { vouchedRoots } from "./roots.ts";

/** Who this node is, and who it is about to be. */
export interface Held {
  /** In use. */
  identity: Identity;
  /** The same node with a newer certificate, which no hub has welcomed yet. */
  candidate?: Identity;
}

/** What a renewal brings. */
export interface Next {
  keyPem: string;
  certificatePem: string;
  /** Roots to trust from then on, with the certificates that vouch for new ones; empty leaves them as they are. */
  caPem: string;
}

/**
 * The identity of a node through its renewals. A candidate lies in a file beside the identity and takes its place when a hub
 * has welcomed it; at any moment, one of the two files or both hold a key with its certificate.
 */
export interface Credentials {
  /** What is on disk now; undefined before enrolment. @throws {Failure} as `readIdentity` does. */
  held(): Promise<Held | undefined>;
  /** A new key, and the request to sign it. */
  request(): Promise<{ keyPem: string; csrDer: Uint8Array }>;
  /**
   * Makes a candidate of the certificate for that key, and of the roots that come with it. On disk when it resolves.
   * @throws {Failure} invalid: it does not fit. denied: nobody whom this node trusts vouches for a root.
   */
  propose(identity: Identity, next: Next): Promise<void>;
  /** A hub welcomed the candidate: from now on it is the identity. */
  commit(candidate: Identity): Promise<void>;
  /** The candidate is of no use. */
  drop(): Promise<void>;
  /**
   * Removes all by which this machine can be that node; gone for good when it resolves. What belongs to another node, because
   * the machine was enrolled anew meanwhile, stays.
   */
  forget(nodeId: string): Promise<void>;
}

/** The credentials in a daemon's data directory. */
export function credentialsIn(dataDir: string, hostName: string): Credentials {
  const path = candidateFile(dataDir);
  const drop = () => dropCandidate(dataDir);
  return {
    async held() {
      const identity = await readIdentity(dataDir);
      if (!identity) return undefined;
      const candidate = await readCandidate(path, identity);
      return { identity, ...(candidate && { candidate }) };
    },
    async request() {
      const keyPem = await newKeyPem();
      return { keyPem, csrDer: signingRequest(keyPem, hostName) };
    },
    async propose(identity, { keyPem, certificatePem, caPem: offered }) {
      checkFit(identity, keyPem, certificatePem);
      const caPem = offered === "" ? identity.caPem : vouchedRoots(identity.caPem, offered);
      const next = { ...identity, keyPem, certificatePem, caPem };
      await writeWhole(path, `${JSON.stringify(next, undefined, 2)}\n`);
    },
    async commit(candidate) {
      // Somebody may have enrolled this machine anew meanwhile.
      const there = await readIdentity(dataDir);
      if (there?.nodeId === candidate.nodeId) await writeIdentity(dataDir, candidate);
      await drop();
    },
    drop,
    async forget(nodeId) {
      const there = await readIdentity(dataDir);
      if (there && there.nodeId !== nodeId) return;
      await removeWhole(identityFile(dataDir));
      // A candidate is nothing without the identity beside it: a power cut in between leaves none that could be used.
      await removeWhole(path);
    },
  };
}

/** Removes what a renewal left behind. */
export async function dropCandidate(dataDir: string): Promise<void> {
  await unlink(candidateFile(dataDir)).catch(() => {});
}

function candidateFile(dataDir: string): string {
  return join(dataDir, "identity.next.json");
}

/** One that cannot be used, that is another node's or that is in use already, is none. */
async function readCandidate(path: string, identity: Identity): Promise<Identity | undefined> {
  try {
    const text = await readText(path);
    const candidate = text === undefined ? undefined : parseIdentity(text);
    const isAnother = candidate?.certificatePem !== identity.certificatePem;
    return candidate?.nodeId === identity.nodeId && isAnother ? candidate : undefined;
  } catch {
    return undefined;
  }
}

function checkFit(identity: Identity, keyPem: string, certificatePem: string): void {
  const fits = (() => {
    try {
      const certificate = new X509Certificate(certificatePem);
      const { subjectAltName } = new X509Certificate(identity.certificatePem);
      return (
        certificate.checkPrivateKey(createPrivateKey(keyPem)) && certificate.subjectAltName === subjectAltName
      );
    } catch {
      return false; // No certificate at all.
    }
  })();
  if (!fits)
    throw failure("invalid", "the hub issued a certificate that is not for this node and its new key");
}
