/**
 * What ip(8) and its kin write with `-json`: the entries, checked, and what their words mean. It runs nothing: who looks, and
 * where, is the business of others.
 */

export { entriesOf } from "./entries.ts";
export { validFor } from "./lifetime.ts";
export { destinationOf, everywhere, isIpv6 } from "./routes.ts";
