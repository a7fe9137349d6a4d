/** The baseline of the round trip: connect-node answering with an empty message, and nothing else. Prints its port. */
import { createServer } from "node:http2";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { Node } from "../gen/edge/v1/node_pb.ts";

const server = createServer(
  connectNodeAdapter({ routes: (router) => void router.service(Node, { listSerialDevices: () => ({}) }) }),
);
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (typeof address === "object") process.stdout.write(`${address?.port}\n`);
});
