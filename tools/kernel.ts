import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/** What real parts of tests ask of the kernel, each tried in namespaces that vanish with the try. */
const tries: Readonly<Record<string, string>> = {
  "network namespaces": "ip link set lo up",
  bridges: "ip link add name br0 type bridge",
  veth: "ip link add v type veth peer name w",
  macvlan: "ip link add v type veth peer name w && ip link add link v name m type macvlan mode bridge",
  "address translation": "iptables --table nat --list",
  "rules of nftables":
    "nft add table inet t && nft add set inet t s '{ type ipv4_addr; flags dynamic; counter; }' && nft add chain inet t c '{ type nat hook output priority -110; }'",
  overlayfs: "grep -qw overlay /proc/filesystems",
  tmpfs: "mount -t tmpfs tmpfs /mnt",
  "memory limits": "grep -qw memory /sys/fs/cgroup/cgroup.controllers || test -d /sys/fs/cgroup/memory",
};

/** The names of the features that this machine's kernel lacks, or that this user may not use. */
export async function missingKernelFeatures(): Promise<string[]> {
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  const found = await Promise.all(
    Object.entries(tries).map(([name, script]) =>
      run("unshare", ["--net", "--mount", "sh", "-ec", script], { env }).then(
        () => [],
        () => [name],
      ),
    ),
  );
  return found.flat();
}
