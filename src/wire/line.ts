import { Control } from "../../gen/edge/v1/control_pb.ts";

/** What a node asks for to open its line, over HTTP/2 and for a WebSocket: the path of the gRPC method. */
export const linePath = `/${Control.typeName}/${Control.method.connect.name}`;
