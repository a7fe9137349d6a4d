import { once } from "node:events";
import { create, type DescFile, type DescService, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { nestedTypes } from "@bufbuild/protobuf/reflect";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { handleBidiStreamingCall, UntypedServiceImplementation } from "@grpc/grpc-js";
import {
  type ServerReflection,
  type ServerReflectionRequest,
  type ServerReflectionResponse,
  ServerReflectionResponseSchema,
} from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { failureTable } from "./failures.ts";

export { ServerReflection } from "../../gen/grpc/reflection/v1/reflection_pb.ts";

/** Answers one request of `grpc.reflection.v1`. What is not known is an error within the answer, as the protocol says. */
export type Reflection = (request: ServerReflectionRequest) => ServerReflectionResponse;

type Answer = NonNullable<MessageInitShape<typeof ServerReflectionResponseSchema>["messageResponse"]>;

/**
 * What reflection says about these services and about every file that they need. Only the services that are given are
 * listed. v1 only: grpcurl since 1.8.8, buf and grpcui ask for it first, and v1alpha is deprecated.
 */
export function reflectionOf(services: readonly DescService[]): Reflection {
  const files = withDependencies(services.map((service) => service.file));
  const byName = new Map(files.map((file) => [protoPath(file), file]));
  const bySymbol = symbolsOf(files);
  const extensions = files.flatMap((file) =>
    [...nestedTypes(file)].filter((type) => type.kind === "extension").map((one) => ({ file, one })),
  );

  const fileAnswer = (file: DescFile | undefined, what: string): Answer =>
    file ? { case: "fileDescriptorResponse", value: described(file) } : notFound(what);

  const answerTo = ({ messageRequest: asked }: ServerReflectionRequest): Answer => {
    switch (asked.case) {
      case "listServices": {
        const service = services
          .map(({ typeName }) => ({ name: typeName }))
          .sort((a, b) => (a.name < b.name ? -1 : 1));
        return { case: "listServicesResponse", value: { service } };
      }
      case "fileByFilename":
        return fileAnswer(byName.get(asked.value), `file ${asked.value}`);
      case "fileContainingSymbol":
        return fileAnswer(bySymbol.get(asked.value.replace(/^\./, "")), `symbol ${asked.value}`);
      case "fileContainingExtension": {
        const { containingType, extensionNumber } = asked.value;
        const found = extensions.find(
          ({ one }) => one.extendee.typeName === containingType && one.number === extensionNumber,
        );
        return fileAnswer(found?.file, `extension ${extensionNumber} of ${containingType}`);
      }
      case "allExtensionNumbersOfType": {
        const baseTypeName = asked.value;
        if (!bySymbol.has(baseTypeName)) return notFound(`type ${baseTypeName}`);
        const own = extensions.filter(({ one }) => one.extendee.typeName === baseTypeName);
        return {
          case: "allExtensionNumbersResponse",
          value: { baseTypeName, extensionNumber: own.map(({ one }) => one.number) },
        };
      }
      default:
        return error(failureTable.invalid.grpc, "this request of reflection is not known");
    }
  };

  return (request) =>
    create(ServerReflectionResponseSchema, {
      validHost: request.host,
      originalRequest: request,
      messageResponse: answerTo(request),
    });
}

/** The same for connect-node: `router.service(ServerReflection, reflectionService(...))`. */
export function reflectionService(reflection: Reflection): ServiceImpl<typeof ServerReflection> {
  return {
    async *serverReflectionInfo(requests) {
      for await (const request of requests) yield reflection(request);
    },
  };
}

/** The same for grpc-js: `server.addService(grpcService(ServerReflection), grpcReflection(...))`. */
export function grpcReflection(reflection: Reflection): UntypedServiceImplementation {
  const serverReflectionInfo: handleBidiStreamingCall<ServerReflectionRequest, ServerReflectionResponse> = (
    call,
  ) => {
    const answer = async () => {
      for await (const request of call) {
        // The stream's type does not say what its method deserialises.
        const response = reflection(request as ServerReflectionRequest);
        if (!call.write(response)) await once(call, "drain");
      }
      call.end();
    };
    // Who breaks off has what it wanted; there is nobody left to tell.
    answer().catch(() => call.destroy());
  };
  return { serverReflectionInfo };
}

function notFound(what: string): Answer {
  return error(failureTable.not_found.grpc, `${what} is not known here`);
}

function error(errorCode: number, errorMessage: string): Answer {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}

/** A file and all that it imports, because a caller cannot know the rest before it has read this. */
function described(file: DescFile): { fileDescriptorProto: Uint8Array[] } {
  return {
    fileDescriptorProto: withDependencies([file]).map((one) =>
      toBinary(FileDescriptorProtoSchema, one.proto),
    ),
  };
}

/** Each file once, before the files that it imports. */
function withDependencies(files: readonly DescFile[]): DescFile[] {
  const found = new Set<DescFile>();
  const visit = (file: DescFile): void => {
    if (found.has(file)) return;
    found.add(file);
    file.dependencies.forEach(visit);
  };
  files.forEach(visit);
  return [...found];
}

function protoPath(file: DescFile): string {
  return file.proto.name;
}

/** Every name that a caller may ask for: types, extensions, services, and what stands within them. */
function symbolsOf(files: readonly DescFile[]): Map<string, DescFile> {
  const symbols = new Map<string, DescFile>();
  for (const file of files) {
    for (const type of nestedTypes(file)) {
      symbols.set(type.typeName, file);
      const within =
        type.kind === "message"
          ? [...type.fields, ...type.oneofs]
          : type.kind === "service"
            ? type.methods
            : type.kind === "enum"
              ? type.values
              : [];
      // A value of an enum is a sibling of its type, not a child (https://protobuf.dev/programming-guides/proto3/#enum).
      const scope = type.kind === "enum" ? type.typeName.replace(/\.?[^.]*$/, "") : type.typeName;
      for (const { name } of within) symbols.set(scope === "" ? name : `${scope}.${name}`, file);
    }
  }
  return symbols;
}
