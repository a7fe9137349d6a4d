import type { Allow, Rule } from "./rule.ts";

/** What a profile is: lists that a file may replace, and which of the optional rules it asks. */
export interface Profile {
  allow: Allow;
  require: readonly string[];
}

export const profileNames = ["standard", "strict"] as const;
export type ProfileName = (typeof profileNames)[number];

/** The image without tag and digest, as lists of images name it, and with all that was written. */
const imageName = "(container.image.registry + '/' + container.image.repository)";
const wholeImage = `(${imageName} + (container.image.tag == '' ? '' : ':' + container.image.tag) + (container.image.digest == '' ? '' : '@' + container.image.digest))`;

/** A rule about containers. */
function container(id: string, field: string, rest: Pick<Rule, "denyWhen" | "value" | "message">): Rule {
  return { id, field, on: "container", ...rest };
}

/** A rule that one more container of an agent does not go beyond a quota. */
function quota(name: string, id: string, would: string, message: string): Rule {
  const denyWhen = `container.kind == 'agent' && quotas.${name} > 0 && ${would} > quotas.${name}`;
  return container(id, "", { denyWhen, value: would, message });
}

/** What every node asks, whatever its profile. Lists and quotas decide what it comes to. */
export const rules: readonly Rule[] = [
  container("image.allowed", "spec.image", {
    denyWhen: `!${imageName}.isAmong(allow.images) && !${wholeImage}.isAmong(allow.images)`,
    value: "container.image.reference",
    message: "the image is not on the list allow.images of this node's policy: its owner can add it",
  }),
  container("mount.allowed", "spec.mounts", {
    denyWhen:
      "container.mounts.exists(m, !m.node_path.isBelow(allow.mounts) && !m.node_path.isBelow(allow.writable_mounts))",
    value:
      "container.mounts.filter(m, !m.node_path.isBelow(allow.mounts) && !m.node_path.isBelow(allow.writable_mounts)).map(m, m.node_path)",
    message: "a folder of the node must be on, or below one of, the list allow.mounts of its policy",
  }),
  container("mount.writable", "spec.mounts", {
    denyWhen: "container.mounts.exists(m, m.writable && !m.node_path.isBelow(allow.writable_mounts))",
    value:
      "container.mounts.filter(m, m.writable && !m.node_path.isBelow(allow.writable_mounts)).map(m, m.node_path)",
    message:
      "to be written, a folder of the node must be on, or below one of, allow.writable_mounts of its policy: leave writable out, or have it added",
  }),
  container("device.allowed", "spec.devices", {
    denyWhen: "!container.devices.all(d, d.isAmong(allow.devices))",
    value: "container.devices.filter(d, !d.isAmong(allow.devices))",
    message: "the device is not on the list allow.devices of this node's policy",
  }),
  container("capability.allowed", "spec.capabilities", {
    denyWhen: "!container.capabilities.all(c, c.isAmong(allow.capabilities))",
    value: "container.capabilities.filter(c, !c.isAmong(allow.capabilities))",
    message: "the capability is not on the list allow.capabilities of this node's policy",
  }),
  container("network.allowed", "spec.network", {
    denyWhen: "!container.network.isAmong(allow.networks)",
    value: "container.network",
    message:
      "such a network is not on the list allow.networks of this node's policy, which knows none, allow-list, lan and node",
  }),
  container("user.not_root", "spec.user_id", {
    denyWhen: "container.kind == 'agent' && container.user_id == 0u",
    value: "string(container.user_id)",
    message: "an agent's program is not root: leave user_id out, or name another user",
  }),
  container("quota.memory", "spec.resources.memory_bytes", {
    denyWhen:
      "container.kind == 'agent' && quotas.max_memory > 0 && container.memory_bytes > quotas.max_memory",
    value: "container.memory_bytes",
    message: "a container of an agent has at most policy.max_memory: ask for less",
  }),
  quota(
    "max_containers",
    "quota.containers",
    "totals.containers + 1",
    "agents of this node have at most policy.max_containers containers, those that wait included: try again when one is done",
  ),
  quota(
    "max_total_memory",
    "quota.total_memory",
    "totals.memory_bytes + container.memory_bytes",
    "containers of agents have at most quotas.max_total_memory together: try again when one is done",
  ),
  quota(
    "max_containers_per_agent",
    "quota.agent_containers",
    "totals.agent_containers + 1",
    "one agent has at most quotas.max_containers_per_agent containers: try again when one is done",
  ),
  quota(
    "max_containers_per_tenant",
    "quota.tenant_containers",
    "totals.tenant_containers + (container.tenant == '' ? 0 : 1)",
    "one tenant has at most quotas.max_containers_per_tenant containers: try again when one is done",
  ),
  quota(
    "max_memory_per_tenant",
    "quota.tenant_memory",
    "totals.tenant_memory_bytes + (container.tenant == '' ? 0 : container.memory_bytes)",
    "containers of one tenant have at most quotas.max_memory_per_tenant together: try again when one is done",
  ),
  container("quota.runtimes", "", {
    denyWhen:
      "container.kind == 'runtime' && quotas.max_runtimes > 0 && totals.runtimes + 1 > quotas.max_runtimes",
    value: "totals.runtimes + 1",
    message: "this node has at most quotas.max_runtimes runtimes: delete one first",
  }),
];

/** Rules that are asked when the profile or the file requires them, by their ids. */
export const optionalRules: readonly Rule[] = [
  container("image.digest", "spec.image", {
    denyWhen: "container.image.digest == ''",
    value: "container.image.reference",
    message:
      "an image is pinned by its digest here: write name@sha256:..., which `docker image inspect` and registries tell",
  }),
  container("image.tag", "spec.image", {
    denyWhen: "container.image.digest == '' && container.image.tag == 'latest'",
    value: "container.image.reference",
    message: "`latest` is another image tomorrow: name a version, or a digest",
  }),
  container("memory.limited", "spec.resources.memory_bytes", {
    denyWhen: "container.memory_bytes == 0",
    value: "container.memory_bytes",
    message: "a container has a memory limit here: set resources.memory_bytes",
  }),
  container("pids.limited", "spec.resources.pids_limit", {
    denyWhen: "container.pids == 0",
    value: "container.pids",
    message: "a container has a limit of processes here: set resources.pids_limit",
  }),
];

const nothing = { images: [], mounts: [], writable_mounts: [], devices: [], capabilities: [], networks: [] };

/** `standard` leaves runtimes to their own settings and keeps agents off the node; `strict` allows what is listed, and nothing else. */
export const profiles: Readonly<Record<ProfileName, Profile>> = {
  standard: {
    allow: {
      ...nothing,
      images: ["**"],
      devices: ["**"],
      capabilities: ["*"],
      networks: ["none", "allow-list", "lan", "node"],
    },
    require: [],
  },
  strict: {
    allow: { ...nothing, networks: ["none"] },
    require: ["image.digest", "memory.limited", "pids.limited"],
  },
};
