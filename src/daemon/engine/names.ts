/** The prefix that is kept for our labels. */
export const reservedPrefix = "edge.";

/** The name of a runtime's container, of its network and of its volume: one name for the three. */
export function objectName(instanceId: string, runtime: string): string {
  return `edge-${instanceId.slice(0, 8)}-${runtime}`;
}

/** The runtime that an object of this name belongs to; undefined when it is not one of ours. What follows a dot is its volume. */
export function runtimeNamed(object: string, instanceId: string): string | undefined {
  const prefix = objectName(instanceId, "");
  return object.startsWith(prefix) ? object.slice(prefix.length).split(".")[0] : undefined;
}

/** The image reference with the tag that is meant when there is neither tag nor digest. */
export function fullReference(image: string): string {
  const name = image.slice(image.lastIndexOf("/") + 1);
  return name.includes(":") || name.includes("@") ? image : `${image}:latest`;
}
