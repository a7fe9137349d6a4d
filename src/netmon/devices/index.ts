/**
 * Devices of the node in containers that run: what a path leads to, the node in the container's /dev, and the right to use it in
 * the container's control group. It follows what is plugged in and pulled out; who wants what is kept elsewhere.
 */

export type { DeviceStanding, Made } from "./plan.ts";
export { type Container, type DeviceTools, takeDevicesAway, tendDevices } from "./tend.ts";
export { type DeviceNews, deviceGone, deviceNews, deviceStatusOf, type ToldDevice } from "./told.ts";
export { FolderWatch } from "./watch.ts";
