/**
 * Who this node is: a key that never leaves it, the certificate that the hub issued for it, and the root that it trusts.
 * One file, written whole, so that a key is never found beside another key's certificate; while a certificate is renewed,
 * a second one of the same form.
 */
import type { Enrolment, EnrolOptions } from "./enrol.ts";

export { type Credentials, credentialsIn } from "./credentials.ts";
export { expiryOf, type Identity, identityFile, readIdentity } from "./identity.ts";

/** See `enrol.ts`, which is loaded when it is needed: a running daemon asks no door of a hub, and spares the client. */
export async function enrol(options: EnrolOptions): Promise<Enrolment> {
  return (await import("./enrol.ts")).enrol(options);
}
