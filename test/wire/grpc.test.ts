import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import {
  Client,
  credentials,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type sendUnaryData,
} from "@grpc/grpc-js";
import { FailureSchema } from "../../gen/edge/v1/failure_pb.ts";
import {
  type GetRuntimeRequest,
  type GetRuntimeResponse,
  GetRuntimeResponseSchema,
  Runtimes,
} from "../../gen/edge/v1/runtimes_pb.ts";
import { failure } from "../../src/base/failure.ts";
import { fromConnectError } from "../../src/wire/failures.ts";
import { grpcMethod, grpcService, toServiceError } from "../../src/wire/grpc.ts";

async function serve(): Promise<{ port: number } & AsyncDisposable> {
  const server = new Server();
  const unary = (
    call: ServerUnaryCall<GetRuntimeRequest, GetRuntimeResponse>,
    answer: sendUnaryData<GetRuntimeResponse>,
  ) => {
    if (call.request.name === "plc1")
      answer(null, create(GetRuntimeResponseSchema, { runtime: { spec: { name: "plc1" } } }));
    else answer(toServiceError(failure("not_found", `there is no runtime ${call.request.name} — ünïcode`)));
  };
  const service = grpcService(Runtimes);
  server.addService(service, Object.fromEntries(Object.keys(service).map((name) => [name, unary])));
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  return { port, [Symbol.asyncDispose]: async () => server.forceShutdown() };
}

test("a service of ours on grpc-js answers a connect client, failures with their details", async () => {
  await using server = await serve();
  const client = createClient(Runtimes, createGrpcTransport({ baseUrl: `http://127.0.0.1:${server.port}` }));
  const { runtime } = await client.getRuntime({ name: "plc1" });
  assert.equal(runtime?.spec?.name, "plc1");
  const told = await client.getRuntime({ name: "x" }).then(() => assert.fail(), fromConnectError);
  assert.equal(told.kind, "not_found");
  assert.equal(told.message, "there is no runtime x — ünïcode");
});

test("the details travel as google.rpc.Status, which other languages read", async () => {
  await using server = await serve();
  const client = new Client(`127.0.0.1:${server.port}`, credentials.createInsecure());
  const { path, requestSerialize, responseDeserialize } = grpcMethod(Runtimes.method.getRuntime);
  const bytes = await new Promise<Buffer>((resolve) =>
    client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      { $typeName: "edge.v1.GetRuntimeRequest" as const, name: "x" } as never,
      (error) => resolve(error?.metadata.get("grpc-status-details-bin")[0] as Buffer),
    ),
  );
  client.close();
  const at = bytes.indexOf("type.googleapis.com");
  const any = fromBinary(AnySchema, bytes.subarray(at - 2));
  assert.equal(any.typeUrl, "type.googleapis.com/edge.v1.Failure");
  assert.match(fromBinary(FailureSchema, any.value).message, /no runtime x/);
});
