import { create } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import type { UntypedServiceImplementation } from "@grpc/grpc-js";
import {
  type Health,
  type HealthCheckRequest,
  type HealthCheckResponse,
  HealthCheckResponseSchema,
  type HealthListResponse,
  HealthListResponseSchema,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "../../gen/health/v1/health_pb.ts";
import { Changes } from "../base/changes.ts";
import { evidence } from "../base/evidence.ts";
import { failure } from "../base/failure.ts";
import { toConnectError } from "./failures.ts";
import { streamHandler, unaryHandler } from "./grpc.ts";

export { Health } from "../../gen/health/v1/health_pb.ts";

/**
 * Which services serve, for `grpc.health.v1`. The name "" is the program as a whole. A level: a watcher that is slow sees
 * the newest, not every change.
 */
export class HealthBoard {
  readonly #serving: Map<string, boolean>;
  readonly #changes = new Changes();

  /** All of these serve from the start, and so does the whole. */
  constructor(services: readonly string[]) {
    this.#serving = new Map(["", ...services].map((name) => [name, true]));
  }

  /** Says whether a service serves now. */
  set(service: string, isServing: boolean): void {
    if (this.#serving.get(service) === isServing) return;
    this.#serving.set(service, isServing);
    this.#changes.notify();
  }

  /** @throws {Failure} not_found: there is no such service here, as the protocol wants it. */
  check(service: string): HealthCheckResponse {
    const status = this.#statusOf(service);
    if (status === ServingStatus.SERVICE_UNKNOWN) {
      throw failure("not_found", `there is no service ${evidence(service)} here`);
    }
    return create(HealthCheckResponseSchema, { status });
  }

  /** The state of every service. */
  list(): HealthListResponse {
    const statuses = Object.fromEntries([...this.#serving.keys()].map((name) => [name, this.check(name)]));
    return create(HealthListResponseSchema, { statuses });
  }

  /** The state now, then each other state, until the signal. A service that is not known may come later. */
  async *watch(service: string, signal: AbortSignal): AsyncGenerator<HealthCheckResponse> {
    let told: ServingStatus | undefined;
    for await (const _ of this.#changes.wakes(signal)) {
      const status = this.#statusOf(service);
      if (status === told) continue;
      told = status;
      yield create(HealthCheckResponseSchema, { status });
    }
  }

  #statusOf(service: string): ServingStatus {
    const isServing = this.#serving.get(service);
    if (isServing === undefined) return ServingStatus.SERVICE_UNKNOWN;
    return isServing ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
  }
}

/** The same for connect-node: `router.service(Health, healthService(board))`. */
export function healthService(board: HealthBoard): ServiceImpl<typeof Health> {
  return {
    check({ service }) {
      try {
        return board.check(service);
      } catch (thrown) {
        throw toConnectError(thrown);
      }
    },
    list: () => board.list(),
    watch: ({ service }, { signal }) => board.watch(service, signal),
  };
}

/** The same for grpc-js: `server.addService(grpcService(Health), grpcHealth(board))`. */
export function grpcHealth(board: HealthBoard): UntypedServiceImplementation {
  return {
    check: unaryHandler(({ service }: HealthCheckRequest) => board.check(service)),
    list: unaryHandler(() => board.list()),
    watch: streamHandler(({ service }: HealthCheckRequest, { signal }) => board.watch(service, signal)),
  };
}
