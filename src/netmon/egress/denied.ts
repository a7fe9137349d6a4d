import * as v from "valibot";
import { failure } from "../../base/failure.ts";
import { table } from "./ruleset.ts";

/** Packets to one destination that were denied. */
export interface Denied {
  /** Empty for all destinations beyond those of which the kernel keeps count. */
  destination: string;
  /** 0 where there is none. */
  port: number;
  /** As nft names it: `tcp`, `udp`, `icmp`; empty as `destination`. */
  protocol: string;
  count: number;
}

const counterSchema = v.object({ packets: v.number() });
const elementSchema = v.object({
  elem: v.object({
    val: v.object({ concat: v.array(v.union([v.string(), v.number()])) }),
    counter: counterSchema,
  }),
});
const entrySchema = v.object({
  set: v.optional(v.looseObject({ name: v.string(), elem: v.optional(v.array(v.unknown()), []) })),
  counter: v.optional(v.looseObject({ name: v.string(), packets: v.number() })),
});
const listSchema = v.object({ nftables: v.array(entrySchema) });

/** What of our table was denied, as `nft -j list table` tells it, by the set that it is in. */
export type DeniedBySet = ReadonlyMap<string, readonly Denied[]>;

/** The name under which all other destinations are counted. */
export const others = "others";

/** @throws {Failure} internal: it cannot be read. */
export function deniedIn(listed: string): DeniedBySet {
  try {
    const { nftables } = v.parse(listSchema, JSON.parse(listed));
    const found = nftables.flatMap(({ set, counter }): [string, Denied[]][] => {
      if (counter?.name === others) return [[others, rest(counter.packets)]];
      if (set === undefined || !/^(?:denied|portless)/.test(set.name)) return [];
      return [[set.name, set.elem.map((element) => deniedOf(v.parse(elementSchema, element)))]];
    });
    return new Map(found.filter(([, denied]) => denied.length > 0));
  } catch (cause) {
    throw failure("internal", "what nft says of a network namespace cannot be read", { cause });
  }
}

function rest(count: number): Denied[] {
  return count === 0 ? [] : [{ destination: "", port: 0, protocol: "", count }];
}

function deniedOf({ elem }: v.InferOutput<typeof elementSchema>): Denied {
  const [destination = "", protocol = "", port = 0] = elem.val.concat;
  const { packets: count } = elem.counter;
  return { destination: String(destination), protocol: String(protocol), port: Number(port), count };
}

/** Takes destinations that were told out of the sets, as changes for nft(8). The kernel counts them anew from then on. */
export function clearingOf(denied: DeniedBySet): string {
  const lines = [...denied].flatMap(([set, all]) => {
    if (set === others) return [];
    const elements = all.map(({ destination, protocol, port }) =>
      [destination, protocol, ...(set.startsWith("portless") ? [] : [port])].join(" . "),
    );
    return `delete element ${table} ${set} { ${elements.join(", ")} }\n`;
  });
  return lines.join("");
}
