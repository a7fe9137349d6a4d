/**
 * Another version of this daemon: fetched, unpacked beside the present one, tried, and kept only when the hub let it in and it saw
 * what runs. Until then what is on disk says that the present version starts, so that a power cut at any moment leaves a daemon.
 */
export { getDaemonUpdate, updateDaemon } from "./handlers.ts";
export { beginProgram } from "./launch.ts";
export { become, folderOf, ownProgram } from "./program.ts";
export { afterTrial, tryProgram } from "./trial.ts";
export { Updates } from "./updates.ts";
