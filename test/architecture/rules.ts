/**
 * Who may import whom in `src/`, and why no one else. An area is a folder: `base`, `wire`, `gen`, a program (the files directly
 * in it, which wire its rooms), or a room of a program. `docs/structure.md` shows the same table.
 */
export interface AreaRule {
  /** Beside itself, and beside what every program stands on (`everybody`). */
  mayImport?: readonly string[];
  /** Of these it may know the types: what they do is handed to it by the program's wiring. */
  mayKnow?: readonly string[];
  /** Ends the sentence "... because". */
  because: string;
}

/** What programs and their rooms stand on. */
export const everybody = ["base", "wire", "gen"] as const;

/** Areas that stand below the programs, and get nothing of `everybody` by themselves. */
export const ground = ["base", "wire", "gen"] as const;

export const areas: Readonly<Record<string, AreaRule>> = {
  gen: { because: "it is generated from the contract" },
  base: { because: "it knows none of our nouns and would serve any other project" },
  wire: {
    mayImport: ["base", "gen"],
    because: "it is what two programs must agree on, so it can know neither of them",
  },

  cli: {
    mayImport: ["cli/doctor", "cli/documents"],
    because: "it talks to a hub or a daemon through their doors, as anybody else does",
  },
  "cli/doctor": { because: "it looks at a machine and judges; the doors of our programs are handed in" },
  "cli/documents": { because: "what a file says is the same wherever it is sent" },
  netmon: {
    mayImport: ["attachments", "egress", "lease", "namespaces", "parents", "picture"].map(
      (room) => `netmon/${room}`,
    ),
    because: "it wires the rooms of the privileged program, which carries no code of another",
  },
  "netmon/ip": { because: "it reads what ip(8) wrote, whoever asked" },
  "netmon/picture": { mayImport: ["netmon/ip"], because: "who sees the network cannot change it" },
  "netmon/namespaces": {
    mayImport: ["netmon/ip"],
    because: "it does what it is told within one network namespace, and decides nothing",
  },
  "netmon/lease": {
    mayImport: ["netmon/namespaces"],
    because: "a lease is taken for one link, whoever wants it",
  },
  "netmon/parents": {
    mayImport: ["netmon/ip", "netmon/namespaces"],
    mayKnow: ["netmon/picture"],
    because: "what is made at a parent is made for any vNIC",
  },
  "netmon/devices": {
    mayImport: ["netmon/namespaces"],
    because: "a device is given to one container, whoever wants it",
  },
  "netmon/egress": {
    mayImport: ["netmon/namespaces"],
    because: "it closes and opens the namespace that it is told, and knows no agent",
  },
  "netmon/attachments": {
    mayImport: ["netmon/devices", "netmon/lease", "netmon/namespaces", "netmon/parents"],
    mayKnow: ["netmon/picture"],
    because:
      "it keeps vNICs and devices as asked from the pictures that it is handed, and never looks by itself",
  },

  daemon: {
    mayImport: [
      "agents",
      "apply",
      "audit",
      "broker",
      "control",
      "credentials",
      "decommission",
      "egress",
      "engine",
      "figures",
      "gateway",
      "identity",
      "images",
      "invoke",
      "journal",
      "local",
      "locks",
      "memory",
      "metrics",
      "network",
      "node",
      "policy",
      "runtimes",
      "sandbox",
      "sessions",
      "tasks",
      "settings",
      "topics",
      "updates",
      "wishes",
      "work",
    ].map((room) => `daemon/${room}`),
    because: "it wires the daemon's rooms, and a node carries no code of the hub",
  },
  "daemon/agents": {
    mayImport: ["daemon/engine", "daemon/images", "daemon/sandbox"],
    mayKnow: ["daemon/journal", "daemon/work"],
    because: "what may be executed is kept and judged the same, whether or not anything is executed",
  },
  "daemon/apply": {
    mayImport: ["daemon/agents"],
    mayKnow: ["daemon/runtimes", "daemon/work"],
    because: "what a file says of runtimes and of agents is looked at together, and done by each room itself",
  },
  "daemon/tasks": {
    mayImport: ["daemon/sandbox"],
    mayKnow: ["daemon/agents", "daemon/journal", "daemon/work"],
    because: "it decides what runs when, and how a program is confined is not its business",
  },
  "daemon/sessions": {
    mayKnow: ["daemon/journal", "daemon/work"],
    because: "what was said is kept, whoever says it and whatever runs",
  },
  "daemon/memory": {
    mayKnow: ["daemon/journal", "daemon/work"],
    because: "what is remembered is kept in a file of its own, and who makes embeddings is handed in",
  },
  "daemon/audit": {
    mayKnow: ["daemon/journal", "daemon/work"],
    because: "it keeps what it is told, and whoever tells it can do nothing to what is there",
  },
  "daemon/settings": {
    mayKnow: ["daemon/audit", "daemon/journal"],
    because: "what a setting means is known where it is used",
  },
  "daemon/policy": {
    mayKnow: ["daemon/audit", "daemon/journal", "daemon/work"],
    because: "what the node's owner allows depends on nobody who is judged by it",
  },
  "daemon/control": {
    mayKnow: ["daemon/work", "daemon/journal", "daemon/identity"],
    because: "a door carries commands and never knows what one does",
  },
  "daemon/decommission": {
    mayKnow: ["credentials", "identity", "journal", "network", "runtimes", "work"].map(
      (room) => `daemon/${room}`,
    ),
    because: "it ends what the others keep, and each of them does its own part",
  },
  "daemon/updates": {
    mayKnow: ["journal", "node", "work"].map((room) => `daemon/${room}`),
    because: "what the present version sees of its hub and its runtimes is handed in",
  },
  "daemon/local": {
    mayKnow: ["daemon/work"],
    because: "a door carries commands and never knows what one does",
  },
  "daemon/work": {
    mayKnow: ["daemon/journal"],
    because: "it carries out any command; the table is handed in",
  },
  "daemon/network": {
    mayKnow: ["daemon/journal"],
    because: "it speaks with netmon for whoever has vNICs, and knows no runtime",
  },
  "daemon/egress": {
    mayImport: ["daemon/engine", "daemon/network"],
    mayKnow: ["daemon/audit", "daemon/journal", "daemon/sandbox"],
    because: "where an agent may connect to is the same whatever task it carries out",
  },
  "daemon/runtimes": {
    mayImport: ["engine", "health", "images", "locks", "logs", "usage", "wishes"].map(
      (room) => `daemon/${room}`,
    ),
    mayKnow: ["daemon/journal", "daemon/network", "daemon/work"],
    because: "what should run must run without any line, door or command",
  },
  "daemon/wishes": {
    mayImport: ["daemon/engine", "daemon/health", "daemon/locks"],
    mayKnow: ["daemon/network"],
    because:
      "what should run is the same whatever runs: it is kept, judged and compared, and changes nothing",
  },
  "daemon/sandbox": {
    mayImport: ["daemon/engine", "daemon/logs"],
    because: "it confines and runs what it is told to, and knows no task, policy or secret",
  },
  "daemon/engine": { because: "it knows containers and images, and nothing of what they are for" },
  "daemon/health": {
    mayImport: ["daemon/engine"],
    because: "it checks whatever it is told to, and what follows from it is decided elsewhere",
  },
  "daemon/images": {
    mayImport: ["daemon/engine"],
    mayKnow: ["daemon/work"],
    because: "an image is pulled, kept or removed for whoever says that he uses it",
  },
  "daemon/locks": {
    mayKnow: ["daemon/journal"],
    because: "it says that something is not to be touched, and touches nothing",
  },
  "daemon/logs": {
    mayImport: ["daemon/engine"],
    because: "it reads what a container wrote, whosoever it is",
  },
  "daemon/usage": {
    mayImport: ["daemon/engine"],
    because: "it measures containers, and knows no wish",
  },
  "daemon/credentials": {
    mayKnow: ["daemon/audit", "daemon/journal", "daemon/sandbox", "daemon/work"],
    because: "a secret leaves it for a cell or for a header, and for nobody who asks",
  },
  "daemon/gateway": {
    mayKnow: ["audit", "credentials", "journal", "sandbox", "work"].map((room) => `daemon/${room}`),
    because: "it sends what an agent's manifest allows; values are handed to it for one request each",
  },
  "daemon/invoke": {
    mayKnow: ["daemon/journal", "daemon/work"],
    because: "it speaks with programs in runtimes; where those are is handed in",
  },
  "daemon/node": {
    mayKnow: ["daemon/metrics", "daemon/work"],
    because: "it only reads the machine; the engine's version is handed in",
  },
  "daemon/broker": {
    mayImport: ["daemon/policy", "daemon/topics"],
    mayKnow: ["gateway", "journal", "memory", "sandbox", "sessions", "tasks"].map((room) => `daemon/${room}`),
    because: "who asks is known by the socket, and what they ask is done by the rooms that it is handed",
  },
  "daemon/topics": {
    mayKnow: ["daemon/journal", "daemon/work"],
    because: "it carries what anybody publishes, and who may publish what is decided before",
  },
  "daemon/journal": { because: "everybody writes to it, so it can depend on nobody" },
  "daemon/figures": {
    mayImport: ["daemon/control", "daemon/work"],
    mayKnow: ["agents", "journal", "metrics", "runtimes", "tasks"].map((room) => `daemon/${room}`),
    because:
      "it counts what the others tell and reads what they hand in, and nobody depends on being counted",
  },
  "daemon/identity": { because: "a node must know who it is before anything else works" },
  "daemon/metrics": { because: "samples of runtimes are handed in as numbers" },

  hub: {
    mayImport: [
      "api",
      "bus",
      "commands",
      "enrolment",
      "figures",
      "fleet",
      "groups",
      "line",
      "operators",
      "replicas",
      "reports",
      "rollouts",
      "store",
    ].map((room) => `hub/${room}`),
    because: "it wires the hub's rooms, and a hub carries no code of the daemon",
  },
  "hub/api": {
    mayImport: ["hub/enrolment", "hub/operators"],
    mayKnow: ["hub/commands", "hub/fleet", "hub/groups", "hub/line", "hub/reports", "hub/rollouts"],
    because: "it is a door: it checks who asks and hands on, and never touches the store",
  },
  "hub/bus": { because: "it carries what replicas say to one another, and knows nothing of what it means" },
  "hub/replicas": {
    mayImport: ["hub/bus"],
    mayKnow: ["hub/store"],
    because: "who else is alive, and how to tell them, is the same whatever there is to tell",
  },
  "hub/line": {
    mayKnow: ["hub/commands", "hub/fleet", "hub/replicas", "hub/reports", "hub/enrolment"],
    because: "it serves nodes, and knows nothing of operators or their API",
  },
  "hub/commands": {
    mayKnow: ["hub/store", "hub/fleet", "hub/replicas"],
    because: "a queue works whether or not a node is connected, and needs no report to exist",
  },
  "hub/reports": {
    mayKnow: ["hub/store", "hub/fleet", "hub/commands", "hub/replicas"],
    because: "it keeps what nodes say; a result and the end of its command are one commit",
  },
  "hub/rollouts": {
    mayImport: ["hub/commands"],
    mayKnow: ["hub/store", "hub/fleet"],
    because: "it sends commands as any operator does; that a node begins and has its command is one commit",
  },
  "hub/groups": {
    mayKnow: ["hub/store"],
    because: "a name for a selector means nodes only to whoever uses it",
  },
  "hub/figures": {
    mayImport: ["hub/commands", "hub/line", "hub/reports"],
    mayKnow: ["hub/bus", "hub/enrolment", "hub/fleet", "hub/store"],
    because:
      "it counts what the others tell and reads what they hand in, and nobody depends on being counted",
  },
  "hub/enrolment": {
    mayKnow: ["hub/store"],
    because: "the authority over identities serves, and asks nobody",
  },
  "hub/fleet": {
    mayImport: ["hub/replicas"],
    mayKnow: ["hub/store"],
    because: "who is there must not depend on what they are asked to do",
  },
  "hub/operators": {
    mayKnow: ["hub/replicas", "hub/store"],
    because: "who may ask must not depend on what is asked",
  },
  "hub/store": { because: "each room owns its own tables; the store knows none of them" },
};

/** Modules from outside that only some places may import. What is not here may be imported anywhere in `src/`. */
export const outside: Readonly<Record<string, { onlyIn: readonly string[]; because: string }>> = {
  "node:sqlite": {
    onlyIn: ["src/base/sql.ts"],
    because: "locking, syncing, migrating and setting aside a broken file are promised in one place",
  },
  pg: { onlyIn: ["src/hub/store/"], because: "an engine's errors are translated where they enter" },
  pino: { onlyIn: ["src/base/log.ts"], because: "secrets are redacted there" },
  dockerode: {
    onlyIn: ["engine", "health", "images", "logs", "runtimes", "sandbox", "usage", "wishes"].map(
      (room) => `src/daemon/${room}/`,
    ),
    because: "an engine's errors are translated where they enter",
  },
  "prom-client": {
    onlyIn: ["src/wire/figures-page.ts"],
    because: "it takes memory, and is loaded only where somebody asks for figures",
  },
  ...Object.fromEntries(
    ["api", "sdk-trace", "exporter-trace-otlp-proto", "resources"].map((name) => [
      `@opentelemetry/${name}`,
      {
        onlyIn: ["src/wire/tracer.ts"],
        because: "it takes memory, and is loaded only where traces are sent",
      },
    ]),
  ),
  ws: {
    onlyIn: ["src/wire/websocket.ts"],
    because: "frames, limits and the way a stream ends are the same on both sides",
  },
  commander: { onlyIn: ["src/cli/"], because: "programs get settings, not a command line" },
  "@nats-io/transport-node": {
    onlyIn: ["src/hub/bus/nats.ts", "src/hub/bus/nats-connection.ts"],
    because: "what replicas say to one another is a hint, and never a truth that one would wait for",
  },
  "@connectrpc/connect-node": {
    onlyIn: [
      "src/wire/answering.ts",
      "src/wire/sessions.ts",
      "src/hub/api/",
      "src/cli/",
      "src/daemon/broker/",
      "src/daemon/identity/",
    ],
    because:
      "the sockets are grpc-js (docs/decisions/0002-two-grpc-libraries.md), the line is HTTP/2 of Node (0038)",
  },
};

/** What a module may hold for the whole program, with the reason: it would be in the signature of every room. */
export const ambient: Readonly<Record<string, string>> = {
  "src/wire/tracing.ts: tracer":
    "a step of a trace begins wherever a call is made; the program's main sets and ends it",
};

/** Files in `src/` with more lines than this have a second idea in them. */
export const maxLines = 300;

/** Files that are longer, with the reason. */
export const longFiles: Readonly<Record<string, string>> = {};
