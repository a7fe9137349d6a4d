import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { toBinary } from "@bufbuild/protobuf";
import { type AuditCheckpoint, AuditCheckpointSchema } from "../../../gen/edge/v1/audit_pb.ts";

/** The public half of a key, as checkpoints and verifiers name it. */
export interface PublicKey {
  /** SubjectPublicKeyInfo, DER. */
  spki: Uint8Array;
  sha256: string;
}

/** Signs a head of the chain with the key of the node's identity, in PKCS #8 PEM. */
export function signed(
  head: Omit<AuditCheckpoint, "signature" | "keySha256">,
  keyPem: string,
): { checkpoint: AuditCheckpoint; key: PublicKey } {
  const key = createPrivateKey(keyPem);
  const known = publicKeyOf(createPublicKey(key));
  const unsigned = { ...head, signature: new Uint8Array(), keySha256: known.sha256 };
  const signature = new Uint8Array(sign("sha256", signedBytes(unsigned), key));
  return { checkpoint: { ...unsigned, signature }, key: known };
}

/** Whether a checkpoint was signed with this key. */
export function isSignedWith(checkpoint: AuditCheckpoint, spki: Uint8Array): boolean {
  const { keySha256, signature } = checkpoint;
  try {
    const key = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
    if (publicKeyOf(key).sha256 !== keySha256) return false;
    return verify("sha256", signedBytes(checkpoint), key, signature);
  } catch {
    return false; // No key at all.
  }
}

function publicKeyOf(key: KeyObject): PublicKey {
  const spki = new Uint8Array(key.export({ format: "der", type: "spki" }));
  return { spki, sha256: createHash("sha256").update(spki).digest("hex") };
}

/** What is signed: the type's name, so that the signature means nothing elsewhere, and all but the signature. */
function signedBytes(checkpoint: AuditCheckpoint): Buffer {
  const { typeName } = AuditCheckpointSchema;
  const bytes = toBinary(AuditCheckpointSchema, { ...checkpoint, signature: new Uint8Array() });
  return Buffer.concat([Buffer.from(`${typeName}\0`), bytes]);
}
