import { createHash } from "node:crypto";

/** What begins a transaction that is about these names, or about nobody knows what: then it is alone. */
export function beginning(about: readonly string[] | undefined): string {
  const begin = "BEGIN ISOLATION LEVEL READ COMMITTED";
  if (!about) return `${begin}; SELECT pg_advisory_xact_lock(${alone})`;
  const together = `${begin}; SELECT pg_advisory_xact_lock_shared(${alone})`;
  if (about.length === 0) return together;
  // In one order, so that two with several names in common do not wait for each other.
  const locks = [...new Set(about)].map(lockOf).sort();
  return `${together}; SELECT pg_advisory_xact_lock(one) FROM unnest('{${locks.join(",")}}'::bigint[]) AS one`;
}

/** The number by which PostgreSQL knows a name that is locked: a whole number of 64 bits, as text. */
export function lockOf(name: string): string {
  return createHash("sha256").update(name).digest().readBigInt64BE().toString();
}

/** Held by each piece of work together with others, and by one that is alone, alone. */
const alone = lockOf("orchestrator hub: alone");
