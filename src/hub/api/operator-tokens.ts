import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ServiceImpl } from "@connectrpc/connect";
import {
  type Fleet,
  type OperatorTokenRecordSchema,
  Role as WireRole,
} from "../../../gen/edge/v1/fleet_pb.ts";
import { invalidField } from "../../base/failure.ts";
import { type OperatorRecord, type Role, roleNames } from "../operators/index.ts";
import { actorOf, tenantOf } from "./caller.ts";
import type { Rooms } from "./rooms.ts";

/** Roles as they travel. */
export const wireRole = {
  viewer: WireRole.VIEWER,
  operator: WireRole.OPERATOR,
  admin: WireRole.ADMIN,
} satisfies Record<Role, WireRole>;

type TokenMethod = "createOperatorToken" | "listOperatorTokens" | "revokeOperatorToken";

/** The longest that a token can be asked to last: the latest time that a Timestamp can tell is not far behind it. */
const longestMs = 1000 * 365 * 24 * 3_600_000;

/** The part of Fleet that lets operators in. */
export function operatorTokenMethods({
  operators,
  log,
}: Rooms): Pick<ServiceImpl<typeof Fleet>, TokenMethod> {
  return {
    async createOperatorToken({ name, role: asked, tenant: wanted, validForMs }, context) {
      const role = roleNames.find((one) => wireRole[one] === asked);
      if (!role) throw invalidField("role", `${asked} is not a role; viewer, operator and admin are`);
      if (validForMs > longestMs) {
        throw invalidField(
          "valid_for_ms",
          `is ${validForMs}; at most ${longestMs} is allowed, and 0 for ever`,
        );
      }
      const tenant = tenantOf(context) ?? wanted;
      const { token, record } = await operators.create({
        name,
        role,
        tenant,
        validForMs: Number(validForMs),
      });
      log.info({ token_id: record.id, name, role, tenant, actor: actorOf(context) }, "operator token made");
      return { token, record: toMessage(record) };
    },

    async listOperatorTokens(_, context) {
      return { tokens: (await operators.list(tenantOf(context))).map(toMessage) };
    },

    async revokeOperatorToken({ id }, context) {
      await operators.revoke(id, tenantOf(context));
      log.info({ token_id: id, actor: actorOf(context) }, "operator token revoked");
      return {};
    },
  };
}

function toMessage(record: OperatorRecord): MessageInitShape<typeof OperatorTokenRecordSchema> {
  const { id, name, role, tenant, createdAt, expiresAt, usedAt } = record;
  return {
    id,
    name,
    role: wireRole[role],
    tenant,
    createdAt: timestampFromMs(createdAt),
    ...(expiresAt !== undefined && { expiresAt: timestampFromMs(expiresAt) }),
    ...(usedAt !== undefined && { usedAt: timestampFromMs(usedAt) }),
  };
}
