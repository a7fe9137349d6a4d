/**
 * The broker: the door inside each cell. A unix socket that only the program in that container reaches, on which it asks its node and,
 * through it, others. Who asks is the socket; what it may is its agent's manifest and the node's policy.
 */
export { Broker, type BrokerOptions } from "./broker.ts";
export { schema } from "./fences.ts";
