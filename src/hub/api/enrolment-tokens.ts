import { randomBytes } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import type { EnrolmentTokenRecordSchema, Fleet } from "../../../gen/edge/v1/fleet_pb.ts";
import { writeToken } from "../../wire/token.ts";
import { defaultTokenMs, type TokenRecord } from "../enrolment/index.ts";
import { actorOf, tenantOf } from "./caller.ts";
import type { Rooms } from "./rooms.ts";

type TokenMethod = "createEnrolmentToken" | "listEnrolmentTokens" | "revokeEnrolmentToken";

/** The part of Fleet that lets nodes in. */
export function enrolmentTokenMethods({
  fleet,
  tokens,
  roots,
  addresses,
  clock,
  log,
}: Rooms): Pick<ServiceImpl<typeof Fleet>, TokenMethod> {
  return {
    async createEnrolmentToken({ validForMs, note, nodeId, tenant: wanted }, context) {
      const tenant = tenantOf(context) ?? wanted;
      if (nodeId !== "") fleet.mustHave(nodeId);
      const id = randomBytes(6).toString("hex");
      const secret = new Uint8Array(randomBytes(32));
      const expiresAt = clock.now() + (Number(validForMs) || defaultTokenMs);
      const record = await tokens.add({ id, secret, note, expiresAt, nodeId, tenant });
      log.info(
        { token_id: id, note, node: nodeId || undefined, actor: actorOf(context) },
        "enrolment token made",
      );
      const token = writeToken({
        addresses: addresses.api(),
        caSha256: roots.serving.rootSha256,
        id,
        secret,
      });
      return { token, record: toMessage(record) };
    },

    async listEnrolmentTokens(_, context) {
      return { tokens: (await tokens.list(tenantOf(context))).map(toMessage) };
    },

    async revokeEnrolmentToken({ id }, context) {
      await tokens.revoke(id, tenantOf(context));
      log.info({ token_id: id, actor: actorOf(context) }, "enrolment token revoked");
      return {};
    },
  };
}

function toMessage(record: TokenRecord): MessageInitShape<typeof EnrolmentTokenRecordSchema> {
  const { id, note, tenant, createdAt, expiresAt, usedAt, usedBy = "", nodeId = "" } = record;
  return {
    id,
    note,
    tenant,
    createdAt: timestampFromMs(createdAt),
    expiresAt: timestampFromMs(expiresAt),
    usedBy,
    nodeId,
    ...(usedAt !== undefined && { usedAt: timestampFromMs(usedAt) }),
  };
}
