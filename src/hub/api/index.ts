/**
 * The hub's API: one TLS port where operators and programs speak gRPC, gRPC-Web, Connect or plain JSON. It holds no truth:
 * it says who may call what, checks requests, and asks the other rooms. The services of nodes are made from the contract, so
 * that a new command needs nothing here.
 */
export { type Api, openApi } from "./api.ts";
