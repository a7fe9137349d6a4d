/**
 * How nodes and the hub get their certificates: the fleet's certificate authority (made here at the first start, or given
 * by the operator), one-time enrolment tokens, and the exchange of a token and a signing request for an identity.
 */
export { type FoundingAuthority, openAuthority } from "./authority.ts";
export { type EnrolOptions, enrol } from "./enrol.ts";
export type { Authority } from "./issuer.ts";
export { keepAuthority, mustHaveAuthority } from "./keep.ts";
export { type Asked, type Renewed, renew, type Shown } from "./renew.ts";
export type { KeptRoot } from "./root-rows.ts";
export { Roots, type Trusting } from "./roots.ts";
export { schema } from "./schema.ts";
export { ServerCertificate, type ServerIdentity, serverNames } from "./server.ts";
export { defaultTokenMs, openTokens, type TokenRecord, type Tokens } from "./tokens.ts";
