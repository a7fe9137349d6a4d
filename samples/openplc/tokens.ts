import { randomBytes } from "node:crypto";

/** The real runtime's default; it has no refresh either. */
const lifetimeMs = 15 * 60_000;

/** Bearer tokens, in memory: a restart of the runtime ends every login. */
export interface Tokens {
  issue(userId: number): string;
  /** Whose token it is, or why it is nobody's. */
  look(token: string): { userId: number } | "unknown" | "expired" | "revoked";
  revoke(token: string): void;
}

/** `now` is wall time in ms. */
export function createTokens(now: () => number): Tokens {
  const known = new Map<string, { userId: number; expiresAt: number; isRevoked: boolean }>();
  return {
    issue(userId) {
      // Those that expired a lifetime ago are forgotten here, so that logins alone cannot fill the memory.
      for (const [token, { expiresAt }] of known) if (expiresAt + lifetimeMs < now()) known.delete(token);
      const token = randomBytes(32).toString("base64url");
      known.set(token, { userId, expiresAt: now() + lifetimeMs, isRevoked: false });
      return token;
    },
    look(token) {
      const entry = known.get(token);
      if (entry === undefined) return "unknown";
      if (entry.isRevoked) return "revoked";
      return entry.expiresAt <= now() ? "expired" : { userId: entry.userId };
    },
    revoke(token) {
      const entry = known.get(token);
      if (entry !== undefined) entry.isRevoked = true;
    },
  };
}
