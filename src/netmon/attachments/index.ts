/**
 * The vNICs and devices of this node's runtimes. What should be is kept on disk, so that netmon makes it so whenever a
 * container runs, with or without the daemon; a plan says what differs from what is seen, and the loop closes the gap, for each
 * owner by itself.
 */

export { Attachments } from "./attachments.ts";
export { schema } from "./store.ts";
