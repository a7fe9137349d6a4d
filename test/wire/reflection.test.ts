import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { create, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { Node } from "../../gen/edge/v1/node_pb.ts";
import { Runtimes } from "../../gen/edge/v1/runtimes_pb.ts";
import {
  type ServerReflectionRequest,
  ServerReflectionRequestSchema,
} from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { Health, HealthBoard, healthService } from "../../src/wire/health.ts";
import { reflectionOf, reflectionService, ServerReflection } from "../../src/wire/reflection.ts";

const services = [Runtimes, Node, Health, ServerReflection];
const reflection = reflectionOf(services);

type Asked = ServerReflectionRequest["messageRequest"];

function ask(messageRequest: Asked) {
  return reflection(create(ServerReflectionRequestSchema, { host: "h", messageRequest }));
}

function filesFor(messageRequest: Asked): string[] {
  const { messageResponse: answer } = ask(messageRequest);
  assert.equal(answer.case, "fileDescriptorResponse", JSON.stringify(answer.value));
  return answer.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes).name);
}

function errorFor(messageRequest: Asked): [number, string] {
  const { messageResponse: answer } = ask(messageRequest);
  assert.equal(answer.case, "errorResponse");
  return [answer.value.errorCode, answer.value.errorMessage];
}

describe("reflection", () => {
  it("lists exactly the services that it was given, and repeats the request", () => {
    const response = ask({ case: "listServices", value: "" });
    assert.equal(response.validHost, "h");
    assert.equal(response.originalRequest?.messageRequest.case, "listServices");
    assert.equal(response.messageResponse.case, "listServicesResponse");
    assert.deepEqual(
      response.messageResponse.value.service.map((one) => one.name),
      ["edge.v1.Node", "edge.v1.Runtimes", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"],
    );
  });

  it("finds the file of a service, a method, a message, a field, an enum, a value and an extension, with all it imports", () => {
    const symbols = [
      "edge.v1.Node",
      "edge.v1.Node.GetNode",
      ".edge.v1.Inventory",
      "edge.v1.Inventory.host_name",
    ];
    for (const value of symbols) {
      const files = filesFor({ case: "fileContainingSymbol", value });
      assert.equal(files[0], "edge/v1/node.proto", value);
      assert.ok(
        files.includes("edge/v1/rules.proto") && files.includes("google/protobuf/descriptor.proto"),
        value,
      );
      assert.equal(new Set(files).size, files.length);
    }
    assert.equal(
      filesFor({ case: "fileContainingSymbol", value: "edge.v1.rules" })[0],
      "edge/v1/rules.proto",
    );
    const value = "grpc.health.v1.HealthCheckResponse.SERVING";
    assert.match(filesFor({ case: "fileContainingSymbol", value })[0] ?? "", /health\.proto$/);
    assert.equal(
      filesFor({ case: "fileByFilename", value: "edge/v1/rules.proto" })[0],
      "edge/v1/rules.proto",
    );
  });

  it("finds extensions by the type that they extend", () => {
    const containingType = "google.protobuf.FieldOptions";
    const { messageResponse: answer } = ask({ case: "allExtensionNumbersOfType", value: containingType });
    assert.equal(answer.case, "allExtensionNumbersResponse");
    const [extensionNumber] = answer.value.extensionNumber;
    assert.ok(extensionNumber !== undefined);
    const extension = create(ServerReflectionRequestSchema, {
      messageRequest: { case: "fileContainingExtension", value: { containingType, extensionNumber } },
    });
    assert.equal(filesFor(extension.messageRequest)[0], "edge/v1/rules.proto");
  });

  it("answers what it does not know with NOT_FOUND, and no question with INVALID_ARGUMENT", () => {
    assert.deepEqual(errorFor({ case: "fileContainingSymbol", value: "no.Such" }), [
      5,
      "symbol no.Such is not known here",
    ]);
    assert.deepEqual(errorFor({ case: "fileByFilename", value: "x.proto" }), [
      5,
      "file x.proto is not known here",
    ]);
    assert.equal(errorFor({ case: "allExtensionNumbersOfType", value: "no.Such" })[0], 5);
    const extension = create(ServerReflectionRequestSchema, {
      messageRequest: {
        case: "fileContainingExtension",
        value: { containingType: "edge.v1.Node", extensionNumber: 1 },
      },
    });
    assert.equal(errorFor(extension.messageRequest)[0], 5);
    assert.equal(errorFor({ case: undefined })[0], 3);
  });
});

describe("reflection and health over connect-node", () => {
  const board = new HealthBoard(["edge.v1.Node"]);
  const server = createServer(
    connectNodeAdapter({
      routes: (router) => {
        router.service(ServerReflection, reflectionService(reflection));
        router.service(Health, healthService(board));
      },
    }),
  );
  before(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
  after(() => new Promise((resolve) => server.close(resolve)));

  const curl = async (path: string, ...args: string[]) => {
    const { port } = server.address() as AddressInfo; // Listening on TCP.
    const url = `http://127.0.0.1:${port}${path}`;
    const all = ["curl", "--protocol", "grpc", "--http2-prior-knowledge", ...args, url];
    return (await promisify(execFile)("node_modules/.bin/buf", all)).stdout;
  };

  it("buf lists the services and calls one by what reflection told it", async () => {
    assert.match(await curl("", "--list-services"), /^edge\.v1\.Node\nedge\.v1\.Runtimes\n/);
    board.set("edge.v1.Node", false);
    const said = JSON.parse(await curl("/grpc.health.v1.Health/Check", "-d", '{"service":"edge.v1.Node"}'));
    assert.deepEqual(said, { status: "NOT_SERVING" });
    await assert.rejects(curl("/grpc.health.v1.Health/Check", "-d", '{"service":"nope"}'), /not_found/);
  });
});
