import type { Clock } from "../../base/clock.ts";
import type { Failure } from "../../base/failure.ts";
import { Gate } from "../../base/gate.ts";
import type { Logger } from "../../base/log.ts";
import type { Sql } from "../../base/sql.ts";
import type { Engine } from "../engine/index.ts";
import type { Images } from "../images/index.ts";
import type { Journal } from "../journal/index.ts";
import { Locks } from "../locks/index.ts";
import type { Network } from "../network/index.ts";
import { type Admission, Store, usualCapabilities, usualDevices } from "../wishes/index.ts";
import type { Room } from "./commands.ts";
import { Loop } from "./loop.ts";
import { type Pace, usualPace } from "./pace.ts";
import { Readers } from "./readers.ts";
import { groundOf } from "./situation.ts";
import { Turns } from "./turns.ts";
import { isRestartDue } from "./wellbeing.ts";

export interface RuntimesOptions {
  /** The daemon's state file, opened with the schemas of wishes and of locks. */
  sql: Sql;
  journal: Journal;
  clock: Clock;
  log: Logger;
  /** It need not be there yet. */
  engine: Engine;
  images: Images;
  /** Who makes vNICs. */
  network: Pick<Network, "netmon" | "changes" | "attach" | "detach" | "macOf">;
  /** `runtimes.trust_after_ms`. */
  trustAfterMs: number;
  /** Where folders are made in which programs say that they are not to be touched. */
  locksFolder: string;
  /** The node's policy; see `Admission`. */
  decide?: Admission["decide"];
  /** `policy.capabilities`; those that are usual when absent. */
  allowedCapabilities?: () => readonly string[];
  /** `policy.devices`; those that are usual when absent. */
  allowedDevices?: () => readonly string[];
  /** Where the node's /dev is; /dev when absent. */
  devFolder?: string;
  /** How soon what ended is started again; see `usualPace`. */
  pace?: Partial<Pace>;
  /** How long a created runtime must run before it counts as running, in milliseconds. 500 when absent. */
  settleMs?: number;
  /** How long a program that nobody checks must run after an update, in milliseconds. 10 000 when absent. */
  provenMs?: number;
  /** Uniform in [0, 1), for pauses. */
  random?: () => number;
}

/** Starts at once on a small machine: more are slower in total. */
const startsAtOnce = 4;

/** What the room consists of. */
interface Parts {
  room: Room;
  readers: Readers;
}

/**
 * Makes the parts of the room and shows them to one another. Nothing runs yet.
 * @param closed why no runtime is created or changed now; undefined when it may be.
 */
export function openParts(
  { sql, journal, clock, log, engine, images, network, trustAfterMs, ...options }: RuntimesOptions,
  closed: () => Failure | undefined,
): Parts {
  const { settleMs = 500, provenMs = 10_000, random = Math.random, pace = {} } = options;
  const { allowedCapabilities = () => usualCapabilities, allowedDevices = () => usualDevices } = options;
  const { devFolder = "/dev" } = options;
  const store = new Store(sql);
  const isDue = (name: string) => {
    const wish = store.get(name);
    return wish !== undefined && isRestartDue(wish, loop.tended(name).judged);
  };
  const locks = new Locks({
    ...{ sql, journal, clock, log, folder: options.locksFolder },
    containerOf: (name) => store.get(name)?.containerId ?? "",
    onChange: (name) => (isDue(name) ? loop.ask(name) : loop.changes.notify()),
  });
  const tools = {
    ...{ locks, engine, store, journal, clock, log, network, settleMs, provenMs, trustAfterMs, random },
    pace: { ...usualPace, ...pace },
    ...{ refused: new Set<never>(), stuck: new Set<string>() },
  };
  const loop = new Loop({ ...tools, images, starts: new Gate(startsAtOnce) });
  const room: Room = {
    ...{ store, journal, loop, clock, log, locks, turns: new Turns(), network, allowedCapabilities, random },
    ...{ engine, images, allowedDevices, devFolder, closed },
    ...(options.decide && { decide: options.decide }),
  };
  return { room, readers: new Readers({ ...tools, loop, ground: groundOf(tools) }) };
}
