import { randomBytes } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { EnrolmentTokenRecordSchema, Fleet } from "../../../gen/edge/v1/fleet_pb.ts";
import { writeToken } from "../../wire/token.ts";
import { defaultTokenMs, type TokenRecord } from "../enrolment/index.ts";
import { actorOf } from "./caller.ts";
import type { Rooms } from "./rooms.ts";

type TokenMethod = "createEnrolmentToken" | "listEnrolmentTokens" | "revokeEnrolmentToken";

/** The part of Fleet that lets nodes in. */
export function enrolmentTokenMethods({
  tokens,
  authority,
  addresses,
  clock,
  log,
}: Rooms): Pick<ServiceImpl<typeof Fleet>, TokenMethod> {
  return {
    async createEnrolmentToken({ validForMs, note }, context) {
      const id = randomBytes(6).toString("hex");
      const secret = new Uint8Array(randomBytes(32));
      const expiresAt = clock.now() + (Number(validForMs) || defaultTokenMs);
      const record = await tokens.add({ id, secret, note, expiresAt });
      log.info({ token_id: id, note, actor: actorOf(context) }, "enrolment token made");
      const token = writeToken({ addresses: addresses.api(), caSha256: authority.rootSha256, id, secret });
      return { token, record: toMessage(record) };
    },

    async listEnrolmentTokens() {
      return { tokens: (await tokens.list()).map(toMessage) };
    },

    async revokeEnrolmentToken({ id }, context) {
      await tokens.revoke(id);
      log.info({ token_id: id, actor: actorOf(context) }, "enrolment token revoked");
      return {};
    },
  };
}

function toMessage(record: TokenRecord): MessageInitShape<typeof EnrolmentTokenRecordSchema> {
  const { id, note, createdAt, expiresAt, usedAt, usedBy = "" } = record;
  return {
    id,
    note,
    createdAt: timestampFromMs(createdAt),
    expiresAt: timestampFromMs(expiresAt),
    usedBy,
    ...(usedAt !== undefined && { usedAt: timestampFromMs(usedAt) }),
  };
}
