/**
 * What goes wrong with the line between a hub and a node while commands are on their way. Both live in one network namespace, whose
 * packet filter and loopback do the harm; or one of them stands still, or dies. Seed and round decide what happens and for how long.
 */
import { execFileSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import type { Chance } from "../../fixtures/chance.ts";
import type { World } from "../world.ts";

export interface LineFault {
  /** What goes wrong, in words. */
  name: string;
  /** Lets it go wrong for so long, and is over when it is mended. */
  happen(forMs: number): Promise<void>;
}

/** Runs a program in the network of a world, and returns what it printed. */
function within(world: World, command: string, ...args: string[]): string {
  const enter = [`--net=/run/netns/${world.engine.netns}`, command, ...args];
  return execFileSync("nsenter", enter, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

const table = "inet trouble";

/** Has the packet filter do this with what arrives on the loopback. `heal` takes it back. */
export function filter(world: World, ...rules: string[]): void {
  const chain = `add table ${table}; add chain ${table} arriving { type filter hook input priority 0; }`;
  within(world, "nft", [chain, ...rules.map((rule) => `add rule ${table} arriving ${rule}`)].join("; "));
}

/** Everything that arrives is taken again. */
export function heal(world: World): void {
  within(world, "nft", `add table ${table}; delete table ${table}`);
}

/** What becomes of what the node says: it does not arrive. */
export const toHub = (world: World, fate = "drop") => `tcp dport ${world.linePort} ${fate}`;
/** The same of what the hub says. */
export const toNode = (world: World, fate = "drop") => `tcp sport ${world.linePort} ${fate}`;

/** The node's end of the connection that carries its line now; undefined while there is none. */
function portOfLine(world: World): string | undefined {
  const told = within(world, "ss", "-tnH", "state", "established", "dport", "=", `:${world.linePort}`);
  return /:(\d+)\s+\S+:\d+\s*$/m.exec(told)?.[1];
}

/** Every kind of fault of a line. */
export function lineFaultsOf(world: World): LineFault[] {
  return [...flapsOf(world), dies(world, "hub"), dies(world, "daemon")];
}

/** Those that end no program: the line alone flaps. */
export function flapsOf(world: World): LineFault[] {
  const filtered = (name: string, ...rules: string[]): LineFault => ({
    name,
    async happen(forMs) {
      filter(world, ...rules);
      await sleep(forMs);
      heal(world);
    },
  });
  const [hears, speaks] = [toHub(world), toNode(world)];
  const someLost = "numgen random mod 100 < 40 drop";
  return [
    filtered("the hub hears nothing", hears),
    filtered("the node hears nothing", speaks),
    filtered("neither hears anything", hears, speaks),
    filtered("four in ten packets are lost", toHub(world, someLost), toNode(world, someLost)),
    filtered("every connection is reset", toHub(world, "reject with tcp reset")),
    frozen(world),
    slow(world),
    standsStill(world, "hub"),
    standsStill(world, "daemon"),
  ];
}

/** Only the connection that there is: the node makes another one, and then the first one's packets arrive after all. */
function frozen(world: World): LineFault {
  return {
    name: "the connection is frozen, and released when there is another",
    async happen(forMs) {
      const port = portOfLine(world);
      if (port === undefined) return;
      filter(world, `tcp sport ${port} drop`, `tcp dport ${port} drop`);
      await sleep(forMs);
      heal(world);
    },
  };
}

/** With a queue of its own: what does not fit into it is lost. */
function slow(world: World): LineFault {
  const shape = "root tbf rate 96kbit burst 16kb latency 400ms".split(" ");
  return {
    name: "the line carries 96 kbit a second",
    async happen(forMs) {
      within(world, "tc", "qdisc", "add", "dev", "lo", ...shape);
      await sleep(forMs);
      within(world, "tc", "qdisc", "delete", "dev", "lo", "root");
    },
  };
}

function standsStill(world: World, who: "hub" | "daemon"): LineFault {
  return {
    name: `the ${who} stands still`,
    async happen(forMs) {
      world[who].signal("SIGSTOP");
      await sleep(forMs);
      world[who].signal("SIGCONT");
    },
  };
}

function dies(world: World, who: "hub" | "daemon"): LineFault {
  return {
    name: `the ${who} is killed, and starts again`,
    async happen(forMs) {
      await world[who].kill9();
      await sleep(forMs / 4);
      await (who === "hub" ? world.startHub() : world.startDaemon());
    },
  };
}

/** A fault by chance, and how long it stays: about half of them for longer than a lease of three seconds. */
export function anyFault(faults: readonly LineFault[], chance: Chance): { fault: LineFault; forMs: number } {
  return { fault: chance.oneOf(faults), forMs: 100 + chance.below(6_000) };
}
