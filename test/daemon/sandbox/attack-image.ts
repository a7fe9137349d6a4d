import { importImage } from "../../../tools/import-image.ts";
import { addBusybox, addFile, addProgram, emptyLayer, packLayer } from "../../../tools/layer.ts";
import type { EngineAddress } from "../../fixtures/engine.ts";

/** What an attacker would bring: a shell, any system call, and a program of root's that asks to be run as root. */
export async function attackImage({ docker }: Pick<EngineAddress, "docker">): Promise<string> {
  const tag = "orchestrator-test/attacker:1";
  const layer = emptyLayer();
  await addBusybox(layer);
  await addProgram(layer, "/bin/perl", "/usr/bin/perl");
  await addProgram(layer, "/suid/id", "/bin/busybox");
  const program = layer.get("/suid/id");
  if (program?.kind === "file") layer.set("/suid/id", { ...program, mode: 0o4755 });
  addFile(layer, "/etc/shadow", Buffer.from("root:secret\n"), 0o600);
  const changes = ['CMD ["/bin/sh"]', "ENV PATH=/bin", "VOLUME /var/lib/data"];
  await importImage(docker, packLayer(layer), { tag, changes });
  return tag;
}

/** Numbers of system calls, on this machine. */
export const calls: Readonly<Record<string, number>> = {
  x64: {
    ...{ mount: 165, umount2: 166, pivotRoot: 155, chroot: 161, ptrace: 101, readOther: 310, unshare: 272 },
    ...{ setuid: 105, setgid: 106, initModule: 175, finitModule: 313, bpf: 321, keyctl: 250, addKey: 248 },
    ...{ reboot: 169, swapon: 167, setTime: 227, kexec: 246, perf: 298, openByHandle: 304, hostname: 170 },
    ...{ socket: 41, syslog: 103, acct: 163, quota: 179, setns: 308, mknodat: 259, clone: 56 },
  },
  arm64: {
    ...{ mount: 40, umount2: 39, pivotRoot: 41, chroot: 51, ptrace: 117, readOther: 270, unshare: 97 },
    ...{ setuid: 146, setgid: 144, initModule: 105, finitModule: 273, bpf: 280, keyctl: 219, addKey: 217 },
    ...{ reboot: 142, swapon: 224, setTime: 112, kexec: 104, perf: 241, openByHandle: 265, hostname: 161 },
    ...{ socket: 198, syslog: 116, acct: 89, quota: 60, setns: 268, mknodat: 33, clone: 220 },
  },
}[process.arch === "arm64" ? "arm64" : "x64"];
