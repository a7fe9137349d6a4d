/**
 * Invoke: HTTP requests from any door to the programs in runtimes, over the bridge that each runtime shares with its node.
 * What may be asked is the node's policy; who answers is known by a certificate that is pinned at first contact; and whatever
 * a runtime does, a request ends within its time and its size. That nobody answered is a failure, that somebody answered 500
 * is not.
 */
export { invokeRuntime } from "./handlers.ts";
export { Invoke } from "./invoke.ts";
export { allowSetting } from "./policy.ts";
export { schema } from "./store.ts";
