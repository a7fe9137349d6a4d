import { X509Certificate } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { CallCredentials, ChannelCredentials, Client, type experimental } from "@grpc/grpc-js";
import { Control, type HubFrame, type NodeFrame } from "../../../gen/edge/v1/control_pb.ts";
import { grpcMethod } from "../../wire/grpc.ts";
import { maxTransportBytes } from "../../wire/limits.ts";
import { hostOf, isLoopback } from "../../wire/proxy.ts";
import { type SecuredOptions, secured } from "../../wire/secured.ts";
import type { Identity } from "../identity/index.ts";
import type { Stream } from "./session.ts";

export interface Dialled extends AsyncDisposable {
  stream: Stream;
}

/** Opens the stream to the hub at an address, as the node that the identity says. */
export type Dial = (address: string, identity: Identity) => Dialled;

/** How long a last word may take to leave when the daemon stops, in milliseconds. */
const lastWordMs = 500;

/**
 * Opens the stream to a hub. gRPC's own retries and reconnects are off: when to try again is decided in one place. A
 * connection of its own for each attempt, which ends with it.
 */
export function dial(address: string, { caPem, keyPem, certificatePem }: Identity): Dialled {
  const host = hostOf(address);
  const earliest = new X509Certificate(certificatePem).validFromDate.getTime();
  const own = { keyPem, certificatePem };
  const client = new Client(
    address,
    new HubCredentials({ rootsPem: caPem, host, earliest, own, protocols: ["h2"] }),
    {
      "grpc.use_local_subchannel_pool": 1,
      // The library obeys https_proxy and no_proxy as enrolment does, but for this.
      ...(isLoopback(host) && { "grpc.enable_http_proxy": 0 }),
      "grpc.enable_retries": 0,
      "grpc.max_receive_message_length": maxTransportBytes,
      "grpc.max_send_message_length": maxTransportBytes,
      // Only a help: the lease decides. It closes the socket below a session that the lease has ended.
      "grpc.keepalive_time_ms": 20_000,
      "grpc.keepalive_timeout_ms": 10_000,
    },
  );
  const { path, requestSerialize, responseDeserialize } = grpcMethod(Control.method.connect);
  // The method's descriptor says which messages these are.
  const stream = client.makeBidiStreamRequest<NodeFrame, HubFrame>(
    path,
    requestSerialize,
    (bytes) => responseDeserialize(bytes) as HubFrame,
  );
  stream.on("error", () => {}); // Whoever reads the stream hears of it; without any listener the process would end.
  return {
    stream,
    async [Symbol.asyncDispose]() {
      if (stream.writableEnded && !stream.closed) {
        const left = new Promise<void>((resolve) => stream.once("status", () => resolve()));
        await Promise.race([left, sleep(lastWordMs, undefined, { ref: false })]);
      }
      stream.cancel();
      client.close();
    },
  };
}

/** TLS with the hub, by the one function that judges it. An instance for each attempt: no connection is shared. */
class HubCredentials extends ChannelCredentials {
  readonly #options: SecuredOptions;

  constructor(options: SecuredOptions) {
    super();
    this.#options = options;
  }

  _isSecure(): boolean {
    return true;
  }

  _equals(other: ChannelCredentials): boolean {
    return other === this;
  }

  _createSecureConnector(
    _target: unknown,
    _options: unknown,
    calls = CallCredentials.createEmpty(),
  ): experimental.SecureConnector {
    return {
      connect: async (way) => ({ socket: await secured(way, this.#options), secure: true }),
      waitForReady: async () => {},
      getCallCredentials: () => calls,
      destroy: () => {},
    };
  }
}
