import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { type Group, GroupSchema, type Groups } from "../../../gen/edge/v1/groups_pb.ts";
import { parseSelector } from "../../wire/selector.ts";
import type { GroupRecord } from "../groups/index.ts";
import { actorOf, tenantOf } from "./caller.ts";
import type { Rooms } from "./rooms.ts";

/** Selectors with a name: those of the caller's tenant, or of the whole hub. */
export function groupsService({ groups, fleet, log }: Rooms): ServiceImpl<typeof Groups> {
  const nodesOf = ({ selector }: GroupRecord, context: HandlerContext) =>
    fleet.matching(parseSelector(selector), tenantOf(context));
  const told = (record: GroupRecord, context: HandlerContext): Group => {
    const { name, selector, setBy, setAt } = record;
    const nodes = nodesOf(record, context).length;
    return create(GroupSchema, { name, selector, nodes, setBy, setAt: timestampFromMs(setAt) });
  };
  const own = (context: HandlerContext) => tenantOf(context) ?? "";
  return {
    async setGroup({ name, selector }, context) {
      await groups.set(own(context), { name, selector, by: actorOf(context) });
      log.info({ group: name, selector, actor: actorOf(context) }, "group set");
      return { group: told(await groups.get(own(context), name), context) };
    },

    async getGroup({ name }, context) {
      const record = await groups.get(own(context), name);
      return { group: told(record, context), nodeIds: nodesOf(record, context) };
    },

    async listGroups(_, context) {
      return { groups: (await groups.list(own(context))).map((one) => told(one, context)) };
    },

    async removeGroup({ name }, context) {
      await groups.remove(own(context), name);
      log.info({ group: name, actor: actorOf(context) }, "group removed");
      return {};
    },
  };
}
