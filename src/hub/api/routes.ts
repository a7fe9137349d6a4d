import { type ConnectRouter, createConnectRouter } from "@connectrpc/connect";
import { compressionBrotli, compressionGzip } from "@connectrpc/connect-node";
import { Authority } from "../../../gen/edge/v1/authority_pb.ts";
import { Enrolment } from "../../../gen/edge/v1/enrolment_pb.ts";
import { Fleet } from "../../../gen/edge/v1/fleet_pb.ts";
import { Groups } from "../../../gen/edge/v1/groups_pb.ts";
import { Rollouts } from "../../../gen/edge/v1/rollouts_pb.ts";
import { aroundCalls } from "../../wire/around-calls.ts";
import { nodeServices } from "../../wire/commands.ts";
import { Health, HealthBoard, healthService } from "../../wire/health.ts";
import { maxFrameBytes } from "../../wire/limits.ts";
import { reflectionOf, reflectionService, ServerReflection } from "../../wire/reflection.ts";
import { gate } from "./access.ts";
import { authorityService } from "./authority.ts";
import { whileAllowed } from "./caller.ts";
import { engineNames, followEngines } from "./engines.ts";
import { enrolmentService } from "./enrolment.ts";
import { fleetService } from "./fleet.ts";
import { groupsService } from "./groups.ts";
import { serveNodes } from "./node-door.ts";
import { rolloutsService } from "./rollouts.ts";
import type { Rooms } from "./rooms.ts";
import { withinTenant } from "./tenancy.ts";

const services = [Fleet, Rollouts, Groups, Enrolment, Authority, ...nodeServices];

/**
 * Answers are compressed from this size on. Most are far smaller, and compressing them costs many times what sending them
 * does; the picture of a large fleet is worth it.
 */
const compressMinBytes = 64 * 1024;

/** Everything that the API serves, in gRPC, gRPC-Web and Connect. Calls that are under way end when `stopping` is aborted. */
export function routesOf(rooms: Rooms, stopping: AbortSignal): ConnectRouter {
  const health = new HealthBoard([...services.map((service) => service.typeName), ...engineNames]);
  void followEngines(health, rooms.engines, { clock: rooms.clock, signal: stopping });
  const router = createConnectRouter({
    requestGate: gate(rooms.operators),
    interceptors: [aroundCalls(rooms.log, whileAllowed), withinTenant(rooms)],
    shutdownSignal: stopping,
    acceptCompression: [compressionGzip, compressionBrotli],
    compressMinBytes,
    readMaxBytes: maxFrameBytes,
    // A mistyped name in a request by hand is told, not passed over.
    jsonOptions: { ignoreUnknownFields: false },
  });
  router.service(Fleet, fleetService(rooms));
  router.service(Rollouts, rolloutsService(rooms));
  router.service(Groups, groupsService(rooms));
  router.service(Enrolment, enrolmentService(rooms));
  router.service(Authority, authorityService(rooms));
  serveNodes(router, rooms);
  router.service(Health, healthService(health));
  router.service(ServerReflection, reflectionService(reflectionOf([...services, Health, ServerReflection])));
  return router;
}
