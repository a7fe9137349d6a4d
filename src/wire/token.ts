import { createHash } from "node:crypto";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type EnrolmentToken, EnrolmentTokenSchema } from "../../gen/edge/v1/enrolment_pb.ts";
import { type Failure, failure } from "../base/failure.ts";
import { isHostPort } from "../base/setting-kinds.ts";

const prefix = "edge1_";

/** What a token says; the checksum is made when it is written. */
export interface TokenContent {
  /** `host:port` of the hub's API, tried in order. */
  addresses: string[];
  /** SHA-256 of the subject public key info of the hub's root certificate. */
  caSha256: Uint8Array;
  id: string;
  secret: Uint8Array;
}

/** Writes an enrolment token as a person passes it on: `edge1_` and the base64url of `edge.v1.EnrolmentToken`. */
export function writeToken(content: TokenContent): string {
  const token = create(EnrolmentTokenSchema, { ...content });
  token.checksum = checksumOf(token);
  return prefix + Buffer.from(toBinary(EnrolmentTokenSchema, token)).toString("base64url");
}

/**
 * Reads an enrolment token. White space that a terminal put in is left out. Says nothing about whether the hub knows it.
 * @throws {Failure} invalid: it is no token, of another version, cut off or mistyped. The message never holds the token.
 */
export function readToken(text: string): TokenContent {
  const packed = text.replaceAll(/\s/g, "");
  const version = /^edge(\d+)_/.exec(packed)?.[1];
  if (version === undefined) {
    throw refused(
      `this is not an enrolment token: one begins with ${prefix}; copy it whole from "hub token create"`,
    );
  }
  if (version !== "1") {
    throw refused(
      `this enrolment token is of version ${version.slice(0, 9)} and this program reads version 1: update this program`,
    );
  }
  const body = packed.slice(prefix.length);
  if (!/^[A-Za-z0-9_-]*$/.test(body)) {
    throw refused("this enrolment token has characters that no token has: copy it again");
  }
  if (body.length > 8192) throw refused("this enrolment token is far too long: copy it again");
  const bytes = Buffer.from(body, "base64url");
  const token = parse(bytes);
  if (token === undefined || token.checksum.length < 4) {
    throw refused("this enrolment token is cut off or mistyped: copy it again, whole");
  }
  // Written again it must be the same: a changed tag can be read as the same field.
  const isWhole = bytes.equals(toBinary(EnrolmentTokenSchema, token));
  if (!isWhole || !checksumOf(token).equals(token.checksum)) {
    throw refused("this enrolment token is mistyped: its checksum does not match; copy it again");
  }
  const isComplete = token.addresses.length > 0 && token.addresses.every(isHostPort) && token.id !== "";
  if (!isComplete || token.caSha256.length !== 32 || token.secret.length === 0) {
    throw refused(
      "this enrolment token lacks an address, a fingerprint or a secret: make a new one on the hub",
    );
  }
  const { addresses, caSha256, id, secret } = token;
  return { addresses, caSha256, id, secret };
}

function parse(bytes: Uint8Array): EnrolmentToken | undefined {
  try {
    return fromBinary(EnrolmentTokenSchema, bytes, { readUnknownFields: false });
  } catch {
    return undefined; // Whatever is wrong with the bytes, the person can only copy the token again.
  }
}

function checksumOf({ addresses, caSha256, id, secret }: TokenContent): Buffer {
  const content = create(EnrolmentTokenSchema, { addresses, caSha256, id, secret });
  return createHash("sha256").update(toBinary(EnrolmentTokenSchema, content)).digest().subarray(0, 4);
}

function refused(sentence: string): Failure {
  return failure("invalid", sentence);
}
