import { Facts } from "../../base/facts.ts";

/** Reports of nodes came onto the hub's disk. */
export const reportFacts = new Facts<{ events: number; results: number }>();
