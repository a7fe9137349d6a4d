/**
 * The machine: what it is made of, its network interfaces and its serial ports, and the handlers of `edge.v1.Node`. All is
 * read from the kernel when asked; nothing is kept but the inventory.
 */
export { doctorAt } from "./check.ts";
export { checkNode, getInterfaces, getMetrics, getNode, listSerialDevices } from "./handlers.ts";
export { readInventory } from "./inventory.ts";
export { trafficInterfaces } from "./links.ts";
export type { NodeRoom } from "./room.ts";
export { machineRoots } from "./roots.ts";
