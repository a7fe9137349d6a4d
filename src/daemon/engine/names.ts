/** The labels by which an object of the engine says whose it is. A user's labels never begin with `edge.`. */
export const label = {
  /** The daemon's instance: two daemons on one engine never touch each other's objects. */
  instance: "edge.instance",
  runtime: "edge.runtime",
  /** The hash of the wish that a container was made from. */
  specHash: "edge.spec-hash",
  /** The command that made it: what a failed create made is told from what was there before. */
  command: "edge.command",
  /** There when the runtime had a container before this one. */
  replaces: "edge.replaces",
} as const;

/** The prefix that is kept for our labels. */
export const reservedPrefix = "edge.";

/** The name of a runtime's container, of its network and of its volume: one name for the three. */
export function objectName(instanceId: string, runtime: string): string {
  return `edge-${instanceId.slice(0, 8)}-${runtime}`;
}

/** The image reference with the tag that is meant when there is neither tag nor digest. */
export function fullReference(image: string): string {
  const name = image.slice(image.lastIndexOf("/") + 1);
  return name.includes(":") || name.includes("@") ? image : `${image}:latest`;
}
