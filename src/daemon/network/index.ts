/**
 * Network: the daemon's end of netmon's socket. What netmon sees of the machine's network and keeps of vNICs and devices is here
 * while netmon answers, what happened to those goes into the journal exactly once, and they are plugged in and taken away
 * through here. Netmon does all of it without the daemon, too.
 */
export { NetmonClient } from "./client.ts";
export { type Attached, Network, type Reached } from "./network.ts";
export { schema } from "./news.ts";
