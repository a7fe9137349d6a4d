import { isIP } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { checkServerIdentity, createSecureContext, type PeerCertificate } from "node:tls";
import { Client, credentials } from "@grpc/grpc-js";
import { Control, type HubFrame, type NodeFrame } from "../../../gen/edge/v1/control_pb.ts";
import { grpcMethod } from "../../wire/grpc.ts";
import { maxTransportBytes } from "../../wire/limits.ts";
import { hostOf, isLoopback } from "../../wire/proxy.ts";
import { minTlsVersion } from "../../wire/tls.ts";
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
  const secure = createSecureContext({
    ca: caPem,
    key: keyPem,
    cert: certificatePem,
    minVersion: minTlsVersion,
  });
  const { checkServerIdentity: check, options } = naming(address);
  const client = new Client(
    address,
    credentials.createFromSecureContext(secure, { checkServerIdentity: check }),
    {
      ...options,
      "grpc.use_local_subchannel_pool": 1,
      // The library obeys https_proxy and no_proxy as enrolment does, but for this.
      ...(isLoopback(hostOf(address)) && { "grpc.enable_http_proxy": 0 }),
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

/**
 * How the hub's certificate is held against an address. An IP address may not stand in the server name of TLS (RFC 6066,
 * section 3; Node warns of it), and grpc-js would put it there: another name takes its place, and the address is checked.
 */
function naming(address: string) {
  const host = hostOf(address);
  return {
    checkServerIdentity: (_name: string, certificate: PeerCertificate) =>
      checkServerIdentity(host, certificate),
    options: isIP(host) === 0 ? {} : { "grpc.ssl_target_name_override": "hub.invalid" },
  };
}
