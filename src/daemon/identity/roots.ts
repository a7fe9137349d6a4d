import type { X509Certificate } from "node:crypto";
import { failure } from "../../base/failure.ts";
import { certificatesOf, isSignedBy } from "../../wire/judge.ts";

/**
 * The roots of an offer, as PEM. A root is taken when it is trusted already, or when the offer has a certificate for the same name and
 * key that a trusted one signed: whoever has taken over a hub, and not its authority, cannot plant a root of his own.
 * @throws {Failure} invalid: there is no root in it, or it cannot be read. denied: nobody trusted vouches for one.
 */
export function vouchedRoots(trustedPem: string, offeredPem: string): string {
  const { trusted, offered } = read(trustedPem, offeredPem);
  const roots = offered.filter((one) => one.ca && isSignedBy(one, one));
  if (roots.length === 0) throw failure("invalid", "the hub offered no root to trust");
  for (const root of roots) {
    const isTrusted = trusted.some((one) => one.raw.equals(root.raw));
    const isVouchedFor = offered.some(
      (one) => one.ca && isSame(one, root) && trusted.some((by) => isSignedBy(one, by)),
    );
    if (isTrusted || isVouchedFor) continue;
    throw failure("denied", "the hub offered a root for which none that this node trusts vouches");
  }
  return roots.map(String).join("");
}

function isSame(one: X509Certificate, root: X509Certificate): boolean {
  const der = { format: "der", type: "spki" } as const;
  return one.subject === root.subject && one.publicKey.export(der).equals(root.publicKey.export(der));
}

function read(trustedPem: string, offeredPem: string) {
  try {
    return { trusted: certificatesOf(trustedPem), offered: certificatesOf(offeredPem) };
  } catch (cause) {
    throw failure("invalid", "the hub offered roots that cannot be read", { cause });
  }
}
