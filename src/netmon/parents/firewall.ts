import { readFileSync } from "node:fs";
import { asFailure } from "../../base/failure.ts";
import { ownAlias } from "../../wire/interfaces.ts";
import { run } from "../namespaces/index.ts";
import type { Step } from "./steps.ts";

/** Packets from and to one address shall pass between its link and another. */
export interface Passage {
  readonly device: string;
  readonly other: string;
  /** IPv4, without prefix. */
  readonly address: string;
}

/** A packet filter of the node, as `iptables -S` shows it, line by line. */
export interface Filter {
  readonly program: string;
  readonly rules: readonly string[];
}

/**
 * The packet filters of this node. It may have both, and a packet must pass both: which one the engine uses depends on its host, not
 * on us. To look at the old one would make it, so it is only looked at when it is there.
 * @throws {Failure} denied: netmon may not look.
 */
export async function lookAtFilters(signal: AbortSignal): Promise<Filter[]> {
  const hasLegacy = readTables().includes("filter");
  const programs = ["iptables-nft", ...(hasLegacy ? ["iptables-legacy"] : [])];
  const found = await Promise.all(programs.map((program) => lookAtFilter(program, signal)));
  return found.flat();
}

/** None when its program is not here or the kernel does not have it: then it filters nothing. */
async function lookAtFilter(program: string, signal: AbortSignal): Promise<Filter[]> {
  try {
    const said = await run({}, program, ["-w", "-S"], { signal });
    return [{ program, rules: said.split("\n") }];
  } catch (thrown) {
    signal.throwIfAborted();
    if (asFailure(thrown).kind === "denied") throw thrown;
    return [];
  }
}

function readTables(): string[] {
  try {
    return readFileSync("/proc/net/ip_tables_names", "utf8").split("\n");
  } catch {
    return []; // A kernel without it, or which has not needed it yet.
  }
}

/** What makes these the only passages of ours: rules that accept, where the engine has made "drop" what is usual. */
export function stepsForPassages(passages: readonly Passage[], filters: readonly Filter[]): Step[] {
  return filters.flatMap(({ program, rules }) => {
    const wanted = rules.includes("-P FORWARD DROP") ? passages.flatMap(acceptIn(rules)) : [];
    const seen = rules.filter((rule) => rule.includes(` --comment ${ownAlias} `));
    const change = (rule: string, how: string) => `${program} -w ${rule.replace(/^-A/, how)}`;
    return [
      ...wanted.filter((rule) => !seen.includes(rule)).map((rule) => change(rule, "-I")),
      ...seen.filter((rule) => !wanted.includes(rule)).map((rule) => change(rule, "-D")),
    ];
  });
}

/** Both ways. In the chain that the engine keeps for others' rules, over its own restarts too, when it is there. */
function acceptIn(rules: readonly string[]) {
  const chain = rules.includes("-N DOCKER-USER") ? "DOCKER-USER" : "FORWARD";
  const accept = `-m comment --comment ${ownAlias} -j ACCEPT`;
  return ({ device, other, address }: Passage) => [
    `-A ${chain} -s ${address}/32 -i ${device} -o ${other} ${accept}`,
    `-A ${chain} -d ${address}/32 -i ${other} -o ${device} ${accept}`,
  ];
}
