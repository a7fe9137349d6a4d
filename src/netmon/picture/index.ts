/**
 * The node's network as it is: the kernel's notices wake a look, a look makes the next picture, and what differs is told. It only
 * sees, and needs no right to.
 */

export { look, machineRoots } from "./look.ts";
export { Network } from "./network.ts";
export type { Interface, Picture, Seen } from "./state.ts";
export { pictureMessage, toldSince } from "./tell.ts";
export { watchKernel } from "./watch.ts";
