/**
 * The node's own door: every capability as the plain RPC of its service, for programs of this machine, over a unix socket
 * whose file permissions are the lock. Made from the descriptors; works without any hub.
 */
export { openLocalDoor } from "./door.ts";
