/**
 * This hub among its replicas: an id of its life, who else is alive, what they tell one another over the bus, and the look at the
 * store, every two seconds, that finds what nobody told. A hub that is alone has all that at no cost.
 */
export { openReplicas } from "./open.ts";
export { Replicas } from "./replicas.ts";
export { replicasSchema } from "./schema.ts";
