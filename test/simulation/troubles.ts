import { Disk } from "./disk.ts";
import type { Keeper } from "./keeper.ts";
import type { Link } from "./link.ts";
import type { Node, World } from "./world.ts";

/** Begins a trouble now; it ends by itself, or with the calm. */
type Trouble = (world: World) => void;

/** What goes wrong in any world. */
const common: Readonly<Record<string, Trouble>> = {
  "a program is killed": (world) => someProgram(world).kill(end(world, true)),
  "a machine loses its power": (world) => someProgram(world).kill(end(world, false)),
  "a program ends at an await": (world) => ambush(world, someProgram(world)),
  "the power goes at a commit": (world) => {
    const { chance } = world;
    const disk = someDisk(world);
    let left = 1 + chance.below(6);
    disk.fate = () => {
      if (--left > 0) return "kept";
      disk.fate = () => "kept";
      return chance.oneOf(["cut before", "cut after"] as const);
    };
  },
  "a disk is full": (world) => {
    const { time, chance } = world;
    const disk = someDisk(world);
    const isOnce = chance.below(3) === 0;
    disk.fate = () => {
      if (isOnce) disk.fate = () => "kept";
      return "full";
    };
    time.after(chance.below(20_000), () => {
      disk.fate = () => "kept";
    });
  },
  "a program is restarted": (world) => {
    void someProgram(world).restart(world.chance.below(5_000));
  },
  "a program stands still": (world) => {
    const { time, chance } = world;
    const { life } = someProgram(world);
    life?.standStill();
    time.after(chance.below(40_000), () => life?.goOn());
  },
  "a connection is cut": (world) => {
    const { chance } = world;
    const told = chance.oneOf([
      { node: true, hub: true },
      { node: true, hub: false },
      { node: false, hub: true },
      { node: false, hub: false },
    ]);
    for (const link of someLinks(world)) link.cut(told);
  },
  "a link freezes and is released": (world) => {
    const { time, chance } = world;
    for (const link of someLinks(world)) {
      Object.assign(link.held, someWays(world));
      mustBeNoticed(world, link);
      time.after(chance.below(90_000), () => {
        Object.assign(link.held, { up: false, down: false });
        link.pump();
      });
    }
  },
  "a network is parted": (world) => {
    const { time, chance } = world;
    const { machine } = someNode(world);
    Object.assign(machine.uplink, someWays(world));
    time.after(chance.below(60_000), () => release(world, machine.uplink));
  },
  "a network is slow": (world) => {
    const { time, chance, network } = world;
    network.weather.slowestMs = chance.oneOf([300, 2_000, 8_000]);
    time.after(chance.below(30_000), () => {
      network.weather.slowestMs = 50;
    });
  },
  "frames are lost, doubled and overtaken": (world) => {
    const { time, chance, network } = world;
    network.weather.mishapOf = chance.oneOf([2, 5, 20]);
    time.after(chance.below(30_000), () => {
      network.weather.mishapOf = 0;
    });
  },
  "a clock is set": (world) => {
    const { chance, time } = world;
    const { wall } = chance.below(2) === 0 ? world.hubMachine : someNode(world).machine;
    const right = wall.atBeginning;
    wall.atBeginning = chance.oneOf([0, Date.UTC(2100, 0), right - 3_600_000, right + 30_000]);
    if (chance.below(2) === 0) return;
    time.after(chance.below(30_000), () => {
      wall.atBeginning = right;
    });
  },
};

/** What happens to an identity or to a truth as a whole; at most one of them in a world. */
const rare: Readonly<Record<string, Trouble>> = {
  "a machine is cloned": (world) => {
    const copy = world.clone(someNode(world));
    world.clones.push(copy);
    copy.daemon.start();
  },
  "the hub is put back from a copy": (world) => {
    const { time, chance, hubMachine } = world;
    const copy = hubMachine.disk.copy();
    time.after(chance.below(30_000), () => {
      world.hub.kill({ isTold: true, awayMs: 1_000 });
      hubMachine.disk = copy;
      world.isHubPutBack = true;
    });
  },
  "a node is put back from a copy": (world) => {
    const { time, chance } = world;
    const { machine, daemon } = someNode(world);
    const copy = machine.disk.copy();
    time.after(chance.below(30_000), () => {
      daemon.kill({ isTold: true, awayMs: 1_000 });
      machine.disk = copy;
      world.forgetful.add(machine.nodeId);
    });
  },
  "a node loses its disk": (world) => {
    const { machine, daemon } = someNode(world);
    daemon.kill({ isTold: true, awayMs: 1_000 });
    machine.disk = new Disk();
    world.forgetful.add(machine.nodeId);
  },
};

/** Has troubles begin within the time given. The returned function ends all that are under way. */
export function troubles(world: World, withinMs: number): () => void {
  const { time, chance, trace } = world;
  const strike = ([name, trouble]: [string, Trouble]) => {
    time.after(chance.below(withinMs), () => {
      trace.say("world", name);
      trouble(world);
    });
  };
  const kinds = Object.entries(common);
  for (let left = 1 + chance.below(10); left > 0; left--) strike(chance.oneOf(kinds));
  if (chance.below(10) === 0) strike(chance.oneOf(Object.entries(rare)));
  return () => calm(world);
}

function calm(world: World): void {
  world.network.weather.slowestMs = 50;
  world.network.weather.mishapOf = 0;
  world.hubMachine.disk.fate = () => "kept";
  for (const { daemon } of world.clones) daemon.retire();
  for (const { machine, daemon } of world.nodes) {
    machine.disk.fate = () => "kept";
    daemon.life?.goOn();
    release(world, machine.uplink);
  }
  world.hub.life?.goOn();
  for (const link of world.network.of()) {
    Object.assign(link.held, { up: false, down: false });
    link.pump();
  }
}

/** Both sides must find out within two leases, unless the link goes on, or one of them does not run meanwhile. */
function mustBeNoticed(world: World, link: Link): void {
  const { time, leaseMs, wrongs } = world;
  const held = { ...link.held };
  const { hub, node } = link;
  if (!hub) return;
  let isExcused = false;
  const look = () => {
    const isOther = link.held.up !== held.up || link.held.down !== held.down;
    isExcused ||= isOther || hub.isOver || node.isOver || hub.standsStill || node.standsStill;
  };
  // A stream that has just begun is given the time of a greeting.
  const withinMs = Math.max(2 * leaseMs, link.begunAt + 20_000 - time.now);
  for (let at = 0; at < withinMs; at += 500) time.after(at, look);
  time.after(withinMs + 1_500, () => {
    look();
    if (isExcused || link.believers.length === 0) return;
    wrongs.push(`the ${link.believers.join(" and the ")} believed in a half-open link for two leases`);
  });
}

/** Ends a program when it has got some more news, in the middle of what it does about it. */
function ambush({ chance }: World, program: Keeper<{ stop(): Promise<void> }>): void {
  const { life } = program;
  const told = { isTold: chance.below(2) === 0, awayMs: chance.below(10_000) };
  const awaits = chance.below(40);
  const spring = async () => {
    for (let at = 0; at < awaits; at++) await Promise.resolve();
    if (program.life === life) program.kill(told);
  };
  life?.onEvent(1 + chance.below(20), () => void spring());
}

function release({ network }: World, uplink: { up: boolean; down: boolean }): void {
  Object.assign(uplink, { up: false, down: false });
  for (const link of network.of()) link.pump();
}

function end({ chance }: World, isTold: boolean): { isTold: boolean; awayMs: number } {
  return { isTold, awayMs: chance.oneOf([100, 3_000, 30_000]) };
}

function someNode({ chance, nodes, clones }: World): Node {
  return chance.oneOf([...nodes, ...clones]);
}

function someProgram(world: World): Keeper<{ stop(): Promise<void> }> {
  return world.chance.below(2) === 0 ? world.hub : someNode(world).daemon;
}

function someDisk(world: World): Disk {
  return world.chance.below(2) === 0 ? world.hubMachine.disk : someNode(world).machine.disk;
}

/** The newest link of a node, if there is one. */
function someLinks(world: World): Link[] {
  return world.network.of(someNode(world).machine.name).slice(-1);
}

function someWays({ chance }: World): { up: boolean; down: boolean } {
  return chance.oneOf([
    { up: true, down: true },
    { up: true, down: false },
    { up: false, down: true },
  ]);
}
