import { create } from "@bufbuild/protobuf";
import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import { type Finding, FindingLevel, FindingSchema } from "../../../gen/edge/v1/findings_pb.ts";
import type { FleetNode } from "../../../gen/edge/v1/fleet_pb.ts";
import { RuntimePhase } from "../../../gen/edge/v1/runtimes_pb.ts";
import { Health } from "../../../gen/edge/v1/workloads_pb.ts";
import type { Failure } from "../../base/failure.ts";
import type { OperatorRecord } from "../operators/index.ts";
import type { Engines } from "./engines.ts";

/** What the hub knows of itself and of the nodes that are asked about. */
export interface HubFacts {
  nodes: readonly FleetNode[];
  tokens: readonly OperatorRecord[];
  engines: Engines;
  /** The hub's own version. */
  version: string;
  /** Milliseconds since 1970. */
  now: number;
}

/** A certificate or token that ends this soon is told of, in milliseconds. */
const soonMs = 7 * 24 * 3_600_000;
/** Commands that wait for one node: of more, somebody should know. */
const crowdedQueue = 100;
/** Things that a sentence names; of more, how many. */
const named = 5;

/** One thing that is looked at: what is wrong with it, in which words, and how bad that is. */
interface Check {
  check: string;
  level: FindingLevel;
  why: string;
  next: string;
  /** Each that is wrong, as it is told; none when all is well. */
  wrong(facts: HubFacts): string[];
  /** What all of them are; empty when each is a sentence. */
  says: string;
  well: string;
}

const bad: readonly RuntimePhase[] = [RuntimePhase.CRASH_LOOP, RuntimePhase.FAILED];

const checks: readonly Check[] = [
  {
    ...{ check: "store", level: FindingLevel.FAIL, says: "", well: "it takes what it is given" },
    why: "what the store does not take, the hub does not promise; nodes keep their lines and their workloads",
    next: "start PostgreSQL, or make room on the disk; the hub goes on by itself",
    wrong: ({ engines }) => sentenceOf(engines.store.problem),
  },
  {
    ...{ check: "bus", level: FindingLevel.WARN, says: "", well: "replicas hear of one another" },
    why: "without it, what happens at other replicas is seen two seconds later, and nodes there cannot be asked",
    next: "start the NATS server; the hub goes on by itself",
    wrong: ({ engines }) => sentenceOf(engines.bus.problem),
  },
  {
    ...{ check: "nodes", level: FindingLevel.WARN, says: "away", well: "all nodes are there" },
    why: "a node that is away goes on by itself, and hears nothing new",
    next: "look at its machine and its network; orchestrator doctor says there what stands in the way",
    wrong: ({ nodes }) => nodes.filter(({ connected }) => !connected).map(nameOf),
  },
  {
    ...{
      check: "node certificates",
      level: FindingLevel.FAIL,
      says: "end within 7 days",
      well: "none ends soon",
    },
    why: "a node whose certificate has ended needs its grace, or a new token",
    next: "see why it does not renew: orchestrator node get <node>",
    wrong: ({ nodes, now }) => nodes.filter((one) => isSoon(one.certificateExpiresAt, now)).map(nameOf),
  },
  {
    ...{
      check: "engines",
      level: FindingLevel.FAIL,
      says: "do not answer their daemon",
      well: "all engines answer",
    },
    why: "without its engine a node starts and stops nothing",
    next: "orchestrator doctor on that machine",
    wrong: ({ nodes }) =>
      nodes.filter(({ connected, status }) => connected && status?.engineReachable === false).map(nameOf),
  },
  {
    ...{
      check: "runtimes",
      level: FindingLevel.FAIL,
      says: "are not well",
      well: "all runtimes are as wished",
    },
    why: "what is wished for does not run, or does not do its work",
    next: "orchestrator why <runtime> --node <node>",
    wrong: ({ nodes }) =>
      nodes.flatMap(({ id, status }) =>
        (status?.runtimes ?? [])
          .filter(({ phase, health }) => bad.includes(phase) || health === Health.UNHEALTHY)
          .map(({ name }) => `${name} on ${id}`),
      ),
  },
  {
    ...{
      check: "warnings",
      level: FindingLevel.WARN,
      says: "have a warning of the last day",
      well: "there are none",
    },
    why: "a cloned identity or a lost journal is seen at the hub only",
    next: "orchestrator node list",
    wrong: ({ nodes }) => nodes.filter(({ warning }) => warning !== "").map(nameOf),
  },
  {
    ...{
      check: "versions",
      level: FindingLevel.WARN,
      says: "run another version than this hub",
      well: "all the same",
    },
    why: "an older daemon does not know what is new, and says so when it is asked",
    next: "update them",
    wrong: ({ nodes, version }) =>
      nodes
        .filter(({ daemonVersion }) => daemonVersion !== "" && daemonVersion !== version)
        .map((node) => `${nameOf(node)} ${node.daemonVersion}`),
  },
  {
    ...{
      check: "queues",
      level: FindingLevel.WARN,
      says: `have ${crowdedQueue} commands or more that wait`,
      well: "short",
    },
    why: "a node takes at most 1000, and does all of them when it is back",
    next: "orchestrator command list --node <node>, and cancel what nobody needs",
    wrong: ({ nodes }) => nodes.filter(({ pendingCommands }) => pendingCommands >= crowdedQueue).map(nameOf),
  },
  {
    ...{
      check: "operator tokens",
      level: FindingLevel.WARN,
      says: "end within 7 days",
      well: "none ends soon",
    },
    why: "programs that use them are refused from then on",
    next: "orchestrator hub operator create, and give them the new one",
    wrong: ({ tokens, now }) =>
      tokens
        .filter(({ expiresAt }) => expiresAt !== undefined && expiresAt > now && expiresAt - now <= soonMs)
        .map(({ name }) => name),
  },
];

/** What is to be said of a hub and its nodes, worst first. */
export function findingsOf(facts: HubFacts): Finding[] {
  return checks.map((one) => judged(one, one.wrong(facts))).sort((one, other) => other.level - one.level);
}

function judged({ check, level, why, next, says, well }: Check, wrong: readonly string[]): Finding {
  if (wrong.length === 0) return create(FindingSchema, { check, level: FindingLevel.OK, says: well, why });
  const some = wrong.length > named ? [...wrong.slice(0, named), `and ${wrong.length - named} more`] : wrong;
  return create(FindingSchema, {
    check,
    level,
    why,
    next,
    says: says === "" ? some.join("; ") : `${wrong.length} ${says}: ${some.join(", ")}`,
  });
}

function nameOf({ id, hostName }: FleetNode): string {
  return hostName === "" ? id : `${id} (${hostName})`;
}

function sentenceOf(problem: Failure | undefined): string[] {
  return problem ? [problem.message] : [];
}

function isSoon(at: Timestamp | undefined, now: number): boolean {
  return at !== undefined && timestampMs(at) - now <= soonMs;
}
