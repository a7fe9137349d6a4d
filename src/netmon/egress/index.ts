/**
 * What may leave the network namespace of an agent: rules of the kernel's packet filter, loaded into that namespace before the
 * agent's program is in it. The rules and the counts of what they denied are kept by the namespace alone, so that a netmon that
 * restarts, or is away, opens nothing and forgets nothing.
 */
export { Egress } from "./egress.ts";
