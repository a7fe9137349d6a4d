import {
  type ConnectRouter,
  createConnectRouter,
  type HandlerContext,
  type ServiceImpl,
} from "@connectrpc/connect";
import { Broker, type GetSelfRequest } from "../../../gen/edge/v1/broker_pb.ts";
import { Memory } from "../../../gen/edge/v1/memory_pb.ts";
import { Sessions } from "../../../gen/edge/v1/sessions_pb.ts";
import type { Logger } from "../../base/log.ts";
import { aroundCalls } from "../../wire/around-calls.ts";
import { maxFrameBytes } from "../../wire/limits.ts";
import { reflectionOf, reflectionService, ServerReflection } from "../../wire/reflection.ts";
import { call, reply, takeCalls } from "./about-calls.ts";
import { memoryOf, sessionsOf } from "./about-memory.ts";
import { acquireLock, cancelChild, getSelf, releaseLock, spawnTask, waitTasks } from "./about-tasks.ts";
import { publish, settle, subscribe, tell } from "./about-topics.ts";
import { askerOf } from "./asker.ts";
import { entered, guarded, guardedStream, judged } from "./guarded.ts";
import type { Room } from "./room.ts";

const services = [Broker, Sessions, Memory];

/** Everything that a cell's socket serves but the gateway, in gRPC, gRPC-Web and Connect. Calls end when `stopping` is aborted. */
export function routesOf(room: Room, log: Logger, stopping: AbortSignal): ConnectRouter {
  const router = createConnectRouter({
    interceptors: [aroundCalls(log, (_, signal) => signal)],
    shutdownSignal: stopping,
    // Both ends are on one machine: compressing costs more than it saves.
    acceptCompression: [],
    readMaxBytes: maxFrameBytes,
    // A mistyped name in a request by hand is told, not passed over.
    jsonOptions: { ignoreUnknownFields: false },
  });
  router.service(Broker, brokerOf(room));
  router.service(Sessions, sessionsOf(room));
  router.service(Memory, memoryOf(room));
  router.service(ServerReflection, reflectionService(reflectionOf([...services, ServerReflection])));
  return router;
}

function brokerOf(room: Room): ServiceImpl<typeof Broker> {
  return {
    getSelf: (request, context) => selfOf(room, request, context),
    publish: guarded(room, publish),
    subscribe: guardedStream(room, subscribe),
    settle: guarded(room, settle),
    call: guarded(room, call),
    takeCalls: guardedStream(room, takeCalls),
    reply: guarded(room, reply),
    spawnTask: guarded(room, spawnTask),
    waitTasks: guarded(room, waitTasks),
    cancelChild: guarded(room, cancelChild),
    tell: guarded(room, tell),
    acquireLock: guarded(room, acquireLock),
    releaseLock: guarded(room, releaseLock),
  };
}

/** The one question that a container may ask that waits for its task. */
function selfOf(room: Room, request: GetSelfRequest, context: HandlerContext) {
  const asker = askerOf(context);
  const leave = entered(room, asker, "calls", request, context);
  try {
    judged(room, asker, request, context);
    return getSelf(room, request, asker);
  } finally {
    leave();
  }
}
