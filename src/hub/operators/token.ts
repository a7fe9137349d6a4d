import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

const letters = "abcdefghijklmnopqrstuvwxyz234567";

/** A new operator token: its id, what is kept, and the whole text, which is shown once. */
export function newOperatorToken(): { id: string; secretSha256: Uint8Array; text: string } {
  const id = [...randomBytes(8)].map((byte) => letters[byte % letters.length]).join("");
  const secret = randomBytes(32).toString("base64url");
  return { id, secretSha256: sha256(secret), text: `op_${id}_${secret}` };
}

/** The parts of a token, or undefined when it is not one. */
export function parseOperatorToken(text: string): { id: string; secret: string } | undefined {
  const [, id, secret] = /^op_([a-z2-7]{8})_([A-Za-z0-9_-]{43})$/.exec(text) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secret };
}

/** Compares in a time that says nothing about where the two differ. */
export function isSecret(secret: string, keptSha256: Uint8Array): boolean {
  return timingSafeEqual(sha256(secret), keptSha256);
}

function sha256(secret: string): Uint8Array {
  return new Uint8Array(createHash("sha256").update(secret).digest());
}
