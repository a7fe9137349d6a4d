/**
 * Who may import whom in `src/`, and why no one else. An area is a folder: `base`, `wire`, `gen`, a program (the files directly
 * in it, which wire its rooms), or a room of a program. `docs/structure.md` tells the same as a picture.
 */
export interface AreaRule {
  /** Beside itself, and beside what every program may import (`everybody`). */
  mayImport: readonly string[];
  /** Of these it may know the types only: what they do is handed in. */
  mayKnow?: readonly string[];
  /** Ends the sentence "... because". */
  because: string;
}

/** What programs and their rooms stand on. */
export const everybody = ["base", "wire", "gen"] as const;

/** Areas that stand below the programs, and get nothing of `everybody` by themselves. */
export const ground = ["base", "wire", "gen"] as const;

export const areas: Readonly<Record<string, AreaRule>> = {
  gen: { mayImport: [], because: "it is generated from the contract" },
  base: { mayImport: [], because: "it knows none of our nouns and would serve any other project" },
  wire: {
    mayImport: ["base", "gen"],
    because: "it is what two programs must agree on, so it can know neither of them",
  },

  cli: { mayImport: [], because: "it talks to a hub or a daemon through their doors, as anybody else does" },
  netmon: { mayImport: [], because: "the privileged program stays small enough to be read in one sitting" },

  daemon: {
    mayImport: ["control", "identity", "journal", "local", "metrics", "node", "runtimes", "work"].map(
      (room) => `daemon/${room}`,
    ),
    because: "it wires the daemon's rooms, and a node carries no code of the hub",
  },
  "daemon/control": {
    mayImport: ["daemon/work", "daemon/journal"],
    mayKnow: ["daemon/identity"],
    because: "a door carries commands and never knows what one does; who the node is, is handed in",
  },
  "daemon/local": {
    mayImport: ["daemon/work", "daemon/journal"],
    because: "a door carries commands and never knows what one does",
  },
  "daemon/work": {
    mayImport: ["daemon/journal"],
    because: "it carries out any command; the table is handed in",
  },
  "daemon/runtimes": {
    mayImport: ["daemon/journal"],
    mayKnow: ["daemon/work"],
    because: "what should run must run without any line, door or command",
  },
  "daemon/node": {
    mayImport: ["daemon/metrics"],
    mayKnow: ["daemon/work"],
    because: "it only reads the machine; the engine's version is handed in",
  },
  "daemon/journal": { mayImport: [], because: "everybody writes to it, so it can depend on nobody" },
  "daemon/identity": { mayImport: [], because: "a node must know who it is before anything else works" },
  "daemon/metrics": { mayImport: [], because: "samples of runtimes are handed in as numbers" },

  hub: {
    mayImport: ["api", "commands", "enrolment", "fleet", "line", "operators", "reports", "store"].map(
      (room) => `hub/${room}`,
    ),
    because: "it wires the hub's rooms, and a hub carries no code of the daemon",
  },
  "hub/api": {
    mayImport: ["commands", "enrolment", "fleet", "line", "operators", "reports"].map(
      (room) => `hub/${room}`,
    ),
    because: "it is a door: it checks who asks and hands on, and never touches the store",
  },
  "hub/line": {
    mayImport: ["hub/fleet", "hub/commands", "hub/reports"],
    mayKnow: ["hub/enrolment"],
    because: "it serves nodes, and knows nothing of operators or their API",
  },
  "hub/commands": {
    mayImport: ["hub/store", "hub/fleet"],
    because: "a queue works whether or not a node is connected, and needs no report to exist",
  },
  "hub/reports": {
    mayImport: ["hub/store", "hub/fleet"],
    mayKnow: ["hub/commands"],
    because: "it keeps what nodes say; that a result ends a command, in the same commit, is handed in",
  },
  "hub/enrolment": {
    mayImport: ["hub/store"],
    because: "the authority over identities serves, and asks nobody",
  },
  "hub/fleet": {
    mayImport: ["hub/store"],
    because: "who is there must not depend on what they are asked to do",
  },
  "hub/operators": { mayImport: ["hub/store"], because: "who may ask must not depend on what is asked" },
  "hub/store": { mayImport: [], because: "each room owns its own tables; the store knows none of them" },
};

/** Modules from outside that only some places may import. What is not here may be imported anywhere in `src/`. */
export const outside: Readonly<Record<string, { onlyIn: readonly string[]; because: string }>> = {
  "node:sqlite": {
    onlyIn: ["src/base/sql.ts"],
    because: "locking, syncing, migrating and setting aside a broken file are promised in one place",
  },
  pino: { onlyIn: ["src/base/log.ts"], because: "secrets are redacted there" },
  dockerode: {
    onlyIn: ["src/daemon/runtimes/"],
    because: "an engine's errors are translated where they enter",
  },
  systeminformation: {
    onlyIn: ["src/daemon/node/"],
    because: "it starts processes; beats read the kernel's files",
  },
  commander: { onlyIn: ["src/cli/"], because: "programs get settings, not a command line" },
  "@connectrpc/connect-node": {
    onlyIn: ["src/hub/api/", "src/cli/", "src/daemon/identity/"],
    because: "the line and the sockets are grpc-js (docs/decisions/0002-two-grpc-libraries.md)",
  },
};

/** Files in `src/` with more lines than this have a second idea in them. */
export const maxLines = 300;

/** Files that are longer, with the reason. */
export const longFiles: Readonly<Record<string, string>> = {};
