import type Docker from "dockerode";
import { evidence } from "../../base/evidence.ts";
import { invalidField } from "../../base/failure.ts";

/**
 * What `docker.host` means: `unix:///path`, `/path` or `tcp://host:port`.
 * @throws {Failure} invalid.
 */
export function parseHost(host: string): Docker.DockerOptions {
  const path = host.startsWith("unix://") ? host.slice("unix://".length) : host;
  // An empty host keeps the library from reading DOCKER_HOST by itself.
  if (path.startsWith("/")) return { host: "", socketPath: path };
  const tcp = /^tcp:\/\/(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})$/.exec(host);
  if (tcp?.[1] !== undefined && Number(tcp[2]) <= 65_535) {
    return { host: tcp[1].replace(/^\[|\]$/g, ""), port: Number(tcp[2]), protocol: "http" };
  }
  throw invalidField(
    "docker.host",
    `${evidence(host)} must be unix:///path/to/socket, /path/to/socket or tcp://host:port`,
  );
}
