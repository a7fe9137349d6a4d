import { createPrivateKey, X509Certificate } from "node:crypto";
import { unlink } from "node:fs/promises";
import type { Socket } from "node:net";
import { join } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import * as v from "valibot";
import {
  type EnrollRequestSchema,
  type EnrollResponse,
  Enrolment as EnrolmentService,
} from "../../../gen/edge/v1/enrolment_pb.ts";
import { asFailure, failure } from "../../base/failure.ts";
import { writeWhole } from "../../base/files.ts";
import { fromConnectError } from "../../wire/failures.ts";
import { hostOf, type ProxyNames } from "../../wire/proxy.ts";
import { secured } from "../../wire/secured.ts";
import { Sessions } from "../../wire/sessions.ts";
import { readToken, type TokenContent } from "../../wire/token.ts";
import { openWay } from "../../wire/tunnel.ts";
import { dropCandidate } from "./credentials.ts";
import { type Identity, readIdentity, readText, writeIdentity } from "./identity.ts";
import { newKeyPem, signingRequest } from "./request.ts";
import { anotherHub, findRoot } from "./root.ts";

export interface EnrolOptions {
  dataDir: string;
  /** Gets the enrolment token as the operator got it; not asked when an identity is kept. */
  token: () => Promise<string>;
  hostName: string;
  /** Where the proxy is named, when there is one. */
  proxy: ProxyNames;
  /** Replaces an identity that is there. Without it, that one is kept. */
  force: boolean;
  signal: AbortSignal;
}

export interface Enrolment {
  identity: Identity;
  /** Whether it was there already and was kept. */
  kept: boolean;
}

/** How long the hub may take to issue a certificate, in milliseconds. */
const issueMs = 30_000;

/**
 * Exchanges a token for an identity and writes it down. The key is on disk before the hub is asked, so that asking again
 * with the same token after a crash, or after an answer that got lost, ends with the same node and not with a used-up token.
 * @throws {Failure} invalid: the token cannot be read. denied: the hub does not take it, or is another hub. unavailable:
 * no address of the token answers. Nothing is changed then.
 */
export async function enrol(options: EnrolOptions): Promise<Enrolment> {
  const { dataDir, hostName, proxy, signal } = options;
  const there = options.force ? undefined : await readIdentity(dataDir);
  if (there) return { identity: there, kept: true };
  const token = readToken(await options.token());
  const keyPem = await keyFor(dataDir, token.id);
  const csrDer = signingRequest(keyPem, hostName);
  const response = await firstAnswer(token, async (address) => {
    const root = await onTheWay(address, proxy, signal, (way) =>
      findRoot(address, token.caSha256, way, signal),
    );
    const request = { tokenId: token.id, tokenSecret: token.secret, csrDer, hostName };
    return await onTheWay(address, proxy, signal, (way) => ask(address, { root, way, request, signal }));
  });
  const identity = checked(response, keyPem);
  await writeIdentity(dataDir, identity);
  await unlink(pendingFile(dataDir)).catch(() => {});
  await dropCandidate(dataDir);
  return { identity, kept: false };
}

/**
 * Tries each address of the token. A hub that says no has the last word; where none is, or another one, it is left to the next.
 * When no address leads to the hub, an other one that was seen tells more than who is away.
 */
async function firstAnswer<T>(token: TokenContent, attempt: (address: string) => Promise<T>): Promise<T> {
  let why: unknown;
  for (const address of token.addresses) {
    try {
      return await attempt(address);
    } catch (thrown) {
      const { kind, word } = asFailure(thrown);
      if (kind !== "unavailable" && word !== anotherHub) throw thrown;
      if (why === undefined || word === anotherHub) why = thrown;
    }
  }
  throw why;
}

/** Does something with a connection to `address`. */
async function onTheWay<T>(
  address: string,
  proxy: ProxyNames,
  signal: AbortSignal,
  act: (way: Socket) => Promise<T>,
): Promise<T> {
  const { socket } = await openWay(address, proxy, signal);
  try {
    return await act(socket);
  } finally {
    socket.destroy();
  }
}

interface Question {
  root: string;
  way: Socket;
  request: MessageInitShape<typeof EnrollRequestSchema>;
  signal: AbortSignal;
}

async function ask(address: string, { root, way, request, signal }: Question): Promise<EnrollResponse> {
  // Of the time, nothing is known yet: the token is good for as long as the hub says.
  const trust = { rootsPem: root, host: hostOf(address), earliest: 0 };
  const socket = await secured(way, { ...trust, protocols: ["h2"] });
  const baseUrl = `https://${address}`;
  const sessionManager = new Sessions(baseUrl, {}, { createConnection: () => socket });
  const transport = createGrpcTransport({ baseUrl, sessionManager });
  try {
    return await createClient(EnrolmentService, transport).enroll(request, { signal, timeoutMs: issueMs });
  } catch (thrown) {
    signal.throwIfAborted();
    const told = fromConnectError(thrown);
    if (told.kind !== "unavailable") throw told;
    throw failure("unavailable", `the hub at ${address} could not be asked: ${told.message}`, {
      cause: thrown,
    });
  }
}

/** An answer is taken only when it fits the key: what is written down must work. */
function checked({ nodeId, certificatePem, caPem, lineAddresses }: EnrollResponse, keyPem: string): Identity {
  const isOurs = (() => {
    try {
      return new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(keyPem));
    } catch {
      return false; // No certificate at all.
    }
  })();
  if (!isOurs || nodeId === "" || caPem === "" || lineAddresses.length === 0) {
    throw failure(
      "internal",
      "the hub's answer lacks a certificate for this node's key, or the address of its line",
    );
  }
  return { nodeId, keyPem, certificatePem, caPem, lineAddresses };
}

function pendingFile(dataDir: string): string {
  return join(dataDir, "enrolling.json");
}

const pendingSchema = v.object({ tokenId: v.string(), keyPem: v.string() });

/** The key that goes with a token: the same one, when the same token is tried again. */
async function keyFor(dataDir: string, tokenId: string): Promise<string> {
  const text = await readText(pendingFile(dataDir));
  const pending =
    text === undefined ? undefined : v.safeParse(v.pipe(v.string(), v.parseJson(), pendingSchema), text);
  if (pending?.success && pending.output.tokenId === tokenId) return pending.output.keyPem;
  const keyPem = await newKeyPem();
  await writeWhole(pendingFile(dataDir), `${JSON.stringify({ tokenId, keyPem })}\n`);
  return keyPem;
}
