/** The labels by which an object of the engine says whose it is. A user's labels never begin with `edge.`. */
export const label = {
  /** The daemon's instance: two daemons on one engine never touch each other's objects. */
  instance: "edge.instance",
  runtime: "edge.runtime",
  /** A cell, by its id. */
  cell: "edge.cell",
  /** The agent of a cell. */
  agent: "edge.agent",
  /** The version of that agent. */
  agentVersion: "edge.agent-version",
  /** There on a container that holds the network namespace of one cell at a time. */
  holder: "edge.holder",
  /** The hash of the wish that a container was made from. */
  specHash: "edge.spec-hash",
  /** The command that made it: what a failed create made is told from what was there before. */
  command: "edge.command",
  /** There when the runtime had a container before this one. */
  replaces: "edge.replaces",
} as const;
