import { failure } from "../../base/failure.ts";
import type { Store } from "../store/index.ts";
import type { Authority } from "./issuer.ts";

/**
 * Why this hub must have an authority already, as the begin of a sentence, or undefined at a true first start. A hub that
 * lost its authority and silently made a new one would lock out its whole fleet.
 */
export async function mustHaveAuthority(store: Store, stateFile: string): Promise<string | undefined> {
  const [known] = await store.read("SELECT id FROM authority");
  return known && `${stateFile} is that of a hub that has a fleet`;
}

/**
 * Notes which authority this fleet has, at the first start; later, that it still is the same one.
 * @throws {Failure} conflict: it is another one, which no node of the fleet would trust.
 */
export async function keepAuthority(store: Store, authority: Authority): Promise<void> {
  const row = await store.write(async (tx) => {
    await tx.run(
      "INSERT INTO authority (id, root_sha256, trust_domain) VALUES ('fleet', $1, $2) ON CONFLICT (id) DO NOTHING",
      authority.rootSha256,
      authority.trustDomain,
    );
    return await tx.get("SELECT * FROM authority WHERE id = 'fleet'");
  });
  const advice = "put the old one back, or begin a new fleet in an empty data directory";
  if (
    !(row?.root_sha256 instanceof Uint8Array) ||
    !Buffer.from(authority.rootSha256).equals(row.root_sha256)
  ) {
    throw failure(
      "conflict",
      `the certificate authority is another than the one that this fleet enrolled with, and no node would trust it: ${advice}`,
    );
  }
  if (row.trust_domain !== authority.trustDomain) {
    throw failure(
      "conflict",
      `hub.trust_domain is ${authority.trustDomain}, but this fleet enrolled as ${row.trust_domain}: ${advice}`,
    );
  }
}
