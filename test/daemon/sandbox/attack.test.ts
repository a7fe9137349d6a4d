/**
 * Programs that try to leave their cell, to reach the next one, or to take more than they may, on a real engine. Each must fail from
 * the inside, whatever the engine's version; where the contract has an incident for it, that must be told.
 */
import assert from "node:assert/strict";
import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { SandboxIncidentKind } from "../../../gen/edge/v1/events_pb.ts";
import { asFailure } from "../../../src/base/failure.ts";
import type { Provider } from "../../../src/daemon/sandbox/index.ts";
import { type Engine, startEngine } from "../../fixtures/engine.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { attackImage, calls } from "./attack-image.ts";
import { askAhead, askFor, openRoom, type Ran, type SpecInit } from "./room.ts";

let engine: Engine;
let folder: ReturnType<typeof tempFolder>;
let room: ReturnType<typeof openRoom>;
let image: string;

/** Each cell sees a file that is its own. */
const lender: Provider = {
  async prepare({ id }, cellFolder) {
    await mkdir(join(cellFolder, "lent"));
    await writeFile(join(cellFolder, "lent/secret"), `secret of ${id}`);
    const mounts = [
      { source: join(cellFolder, "lent"), target: "/run/orchestrator/secrets", readOnly: true },
    ];
    return { mounts, env: {} };
  },
  release: () => Promise.resolve(),
};

before(async () => {
  engine = await startEngine({ name: "attack" });
  folder = tempFolder();
  room = openRoom(folder.path, engine, { providers: [lender], keptFolders: [folder.path], ahead: 3 });
  image = await attackImage(engine);
});

after(async () => {
  await room?.[Symbol.asyncDispose]();
  await engine?.[Symbol.asyncDispose]();
  folder?.[Symbol.dispose]();
});

/** Has a shell do something in a cell of its own. */
function attack(script: string, init: SpecInit = {}, input = ""): Promise<Ran> {
  return room.run({ image, entrypoint: ["/bin/sh", "-c", script], ...init }, input);
}

/** Has a program run in a cell by the engine's word. @returns what it wrote. */
async function execIn(containerId: string, command: string[]): Promise<string> {
  const exec = await engine.docker
    .getContainer(containerId)
    .exec({ Cmd: command, AttachStdout: true, AttachStderr: true, Tty: true });
  const stream = await exec.start({ Tty: true });
  let wrote = "";
  for await (const piece of stream) wrote += String(piece);
  return wrote;
}

function kindsOf({ end }: Ran): SandboxIncidentKind[] {
  return end.incidents.map(({ kind }) => kind);
}

test("attacks on the sandbox", { concurrency: true }, async (all) => {
  const attempts = [
    all.test("system calls that would change the machine or another program", async () => {
      const tries: [name: string, args: string][] = [
        ["mount", '"none", "/tmp", "tmpfs", 0, 0'],
        ["umount2", '"/proc", 2'],
        ["pivotRoot", '"/tmp", "/tmp"'],
        ["chroot", '"/tmp"'],
        ["ptrace", "16, 1, 0, 0"],
        ["readOther", "1, 0, 0, 0, 0, 0"],
        ["unshare", "0x10000000"],
        ["unshare", "0x00020000"],
        ["unshare", "0x40000000"],
        ["setns", "0, 0x10000000"],
        ["clone", "0x10000011, 0, 0, 0, 0"],
        ["setuid", "0"],
        ["setgid", "0"],
        ["mknodat", '-100, "/tmp/kmem", 0020666, 257'],
        ["mknodat", '-100, "/tmp/disk", 0060666, 64768'],
        ["initModule", '"x", 1, ""'],
        ["finitModule", '0, "", 0'],
        ["bpf", "0, 0, 0"],
        ["keyctl", "0, -3, 0"],
        ["addKey", '"user", "x", "y", 1, -3'],
        ["reboot", "0xfee1dead, 672274793, 0x1234567, 0"],
        ["swapon", '"/tmp/x", 0'],
        ["setTime", "0, 0"],
        ["kexec", "0, 0, 0, 0"],
        ["perf", "0, 0, -1, -1, 0"],
        ["openByHandle", "-100, 0, 0"],
        ["hostname", '"mine", 4'],
        ["syslog", "3, 0, 0"],
        ["acct", '"/tmp/x"'],
        ["socket", "17, 3, 768"], // AF_PACKET
        ["socket", "2, 3, 1"], // a raw one of IPv4
        ["socket", "10, 3, 58"], // and of IPv6
      ];
      // A string that stands in the program is one that perl does not hand on.
      const attempt =
        'sub attempt { my ($what, @a) = @_; print "$what ", syscall(shift @a, @a), " ", $! + 0, "\\n" }';
      const program = [
        attempt,
        ...tries.map(([name, args]) => `attempt("${name}", ${calls[name]}, ${args});`),
      ];
      const ran = await room.run({ image, entrypoint: ["/bin/perl", "-"] }, program.join("\n"));
      const { text } = ran;
      const outcomes = text.trim().split("\n");
      assert.equal(outcomes.length, tries.length, text);
      // EPERM, EBADF (of a descriptor that is none, where the call as such is refused to nobody), EACCES, EINVAL of setns, ENOSYS.
      for (const outcome of outcomes) assert.match(outcome, /^\w+ -1 (1|13|38)$/);
      // Each is told by its name, those of capabilities alone excepted: what has none is refused the change of user, too.
      const tried = ran.incidents.filter(({ kind }) => kind === SandboxIncidentKind.SYSTEM_CALL);
      const told = tried.map(({ reason }) => /^its program perl called (\w+)( |:)/.exec(reason ?? "")?.[1]);
      const names = [
        "mount",
        "umount2",
        "pivot_root",
        "chroot",
        "ptrace",
        "process_vm_readv",
        "clone",
        "setns",
      ];
      const more = ["mknodat", "init_module", "finit_module", "bpf", "keyctl", "add_key", "reboot", "swapon"];
      const last = ["clock_settime", "kexec_load", "perf_event_open", "open_by_handle_at", "sethostname"];
      const times = { unshare: 3, mknodat: 2, socket: 3 };
      assert.deepEqual(
        new Set(told),
        new Set([...names, ...more, ...last, "syslog", "acct", "unshare", "socket"]),
      );
      for (const [name, count] of Object.entries(times)) {
        const counts = tried.filter(({ reason = "" }) => reason.includes(` ${name}`)).map((one) => one.count);
        assert.deepEqual(counts, [1, count - 1], name);
      }
      assert.match(ran.said, /^(mount -1 1\n)/);
    }),

    all.test(
      "refused calls without end, by programs killed in the middle, and by those that the engine lets in",
      async () => {
        const { mount = 0, unshare = 0, ptrace = 0 } = calls;
        const flood = `
        fcntl(STDERR, 4, 04001); # O_NONBLOCK
        syswrite(STDERR, "half a line");
        for (1 .. 20) {
          my $one = fork;
          if (!$one) { syscall(${mount}, 0, 0, 0, 0, 0) while 1 }
          select(undef, undef, undef, 0.02);
          kill 9, $one;
          wait;
        }
        print "done\n"`;
        const { text, said, incidents } = await room.run({ image, entrypoint: ["/bin/perl", "-e", flood] });
        const [first, rest, ...more] = incidents.map(({ kind, count }) => ({ kind, count }));
        assert.deepEqual([text, said.includes("half a line"), more], ["done\n", true, []]);
        assert.deepEqual(first, { kind: SandboxIncidentKind.SYSTEM_CALL, count: 1 });
        assert.ok((rest?.count ?? 0) > 20);

        const ask = await askAhead(room.engine, { image, entrypoint: ["/bin/sleep", "60"] });
        const cell = await room.sandboxes.start(ask, room.signal);
        const tries = [`${unshare}, 0x10000000`, `${mount}, 0, 0, 0, 0, 0`, `${ptrace}, 0, 0, 0, 0`];
        const program = tries.map((one) => `print syscall(${one}), " ", $! + 0, ";";`).join(" ");
        const wrote = await execIn(cell.containerId, ["/bin/perl", "-e", program]);
        await room.sandboxes.remove(cell, room.signal);
        assert.match(wrote, /-1 38;-1 38;-1 38;$/);
      },
    ),

    all.test("a write to anything but its own memory, and a program of its own", async () => {
      const places = [
        ...["/x", "/bin/x", "/bin/sh", "/etc/passwd", "/run/x", "/var/x", "/root/x", "/dev/x"],
        ...["/run/orchestrator/x", "/run/orchestrator/init", "/run/orchestrator/secrets/secret"],
        ...["/proc/sys/kernel/hostname", "/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger"],
        ...["/proc/1/oom_score_adj", "/proc/1/mem", "/sys/kernel/uevent_helper", "/sys/power/state"],
        ...["/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory.max"],
        ...["/sys/fs/cgroup/pids/pids.max", "/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/x"],
      ];
      const script = `
        for f in ${places.join(" ")}; do (echo x > $f) 2>/dev/null && echo "wrote $f"; done
        cat /etc/shadow /proc/1/environ /proc/kcore /dev/mem /proc/1/root/etc/shadow 2>/dev/null && echo "read"
        ls -d /proc/[0-9]*/fd/* 2>/dev/null | grep /proc/1/fd && echo "saw the first process"
        cp /bin/busybox /tmp/mine && /tmp/mine true 2>/dev/null && echo "ran its own"
        /suid/id -u
        for f in /tmp/x /dev/shm/x /var/lib/data/x; do echo x > $f || echo "could not write $f"; done`;
      const { text } = await attack(script);
      assert.equal(text, "65532\n");
    }),

    all.test("a way to the engine, to the network, or to a cloud's metadata", async () => {
      const script = `
        find / -name "*.sock" 2>/dev/null
        ls /sys/class/net
        for a in 169.254.169.254:80 172.17.0.1:2375 8.8.8.8:53; do
          nc -w 2 \${a%:*} \${a#*:} </dev/null >/dev/null 2>&1 && echo "reached $a"
        done
        echo nothing`;
      assert.equal((await attack(script)).text, "lo\nnothing\n");
    }),

    all.test("another cell's folder, secret, port, socket and processes", async () => {
      const listening = `perl -e '
        socket(S, 1, 1, 0); bind(S, pack("S a*", 1, "\\0cell")); listen(S, 1); sleep 60' & nc -l -p 9999 -e /bin/true & cat; cat`;
      const ask = await askAhead(room.engine, {
        name: "victim",
        image,
        entrypoint: ["/bin/sh", "-c", listening],
      });
      const victim = await room.sandboxes.start(ask, room.signal);
      const script = `
        cat /run/orchestrator/secrets/secret; echo
        find / -name "*${victim.id.slice(5)}*" 2>/dev/null
        grep -l ${victim.id.slice(5)} /proc/[0-9]*/mountinfo /proc/mounts 2>/dev/null
        cat /run/orchestrator/../../../run/orchestrator/../${victim.id}/lent/secret 2>/dev/null
        nc -w 2 127.0.0.1 9999 </dev/null 2>/dev/null && echo "reached its port"
        perl -e 'socket(S, 1, 1, 0); print "reached its socket\\n" if connect(S, pack("S a*", 1, "\\0cell"))'
        cat /proc/[0-9]*/comm | grep -c "^nc$"`;
      const { text, cell } = await attack(script, { name: "thief" });
      await room.sandboxes.stop(victim, 0, room.signal);
      await room.sandboxes.remove(victim, room.signal);
      assert.equal(text, `secret of ${cell.id}\n0\n`);
    }),

    all.test("a bomb of processes, while others go on", async () => {
      const resources = { pids: 32, cpuMillis: 200 };
      const entrypoint = ["/bin/perl", "-e", "while (1) { fork }"];
      const ask = await askAhead(room.engine, { name: "bomb", image, entrypoint, resources });
      const cell = await room.sandboxes.start(ask, room.signal);
      assert.equal((await attack("cat", {}, "fine")).text, "fine");
      const { Processes } = await engine.docker.getContainer(cell.containerId).top();
      assert.ok(Processes.length <= 33, `${Processes.length} processes`);
      await room.sandboxes.stop(cell, 100, room.signal);
      const end = await room.sandboxes.ended(cell, room.signal);
      await room.sandboxes.remove(cell, room.signal);
      const processes = end.incidents.find(({ kind }) => kind === SandboxIncidentKind.OUT_OF_PROCESSES);
      assert.ok((processes?.count ?? 0) > 0);
    }),

    all.test("all memory, by a program or by its files", async () => {
      const resources = { memoryBytes: 24n << 20n, diskBytes: 128n << 20n };
      const eaten = await attack("tail /dev/zero; echo $?", { resources });
      assert.deepEqual(
        [eaten.text, eaten.end.outOfMemory, kindsOf(eaten)],
        ["137\n", true, [SandboxIncidentKind.OUT_OF_MEMORY]],
      );
      assert.ok(eaten.end.usage.memoryPeakBytes <= 24 << 20);
      const filled = await attack("dd if=/dev/zero of=/tmp/x bs=1M count=64; echo $?", { resources });
      assert.equal(filled.end.outOfMemory, true);
    }),

    all.test("all disk, by bytes and by files", async () => {
      const resources = { diskBytes: 8n << 20n };
      const tmpfs = [{ path: "/data", sizeBytes: 2n << 20n }];
      const script = `
        for d in /tmp /data /dev/shm /var/lib/data; do dd if=/dev/zero of=$d/x bs=64k 2>/dev/null; done
        du -s -c -k /tmp /data /dev/shm /var/lib/data | tail -n 1 | cut -f 1`;
      const filled = await attack(script, { resources, tmpfs });
      assert.ok(Number(filled.text) <= 8 * 1024 && Number(filled.text) > 6 * 1024, filled.text);
      assert.deepEqual(kindsOf(filled), [SandboxIncidentKind.OUT_OF_DISK]);
      const many = `perl -e '$i = 1; $i++ while open(F, ">", "/tmp/$i"); print "bounded\\n" if $i < 2000'`;
      const files = await attack(many, { resources });
      assert.deepEqual([files.text, kindsOf(files)], ["bounded\n", [SandboxIncidentKind.OUT_OF_DISK]]);
    }),

    all.test("more output than it may have, and no end of it", async () => {
      const log = { fileBytes: 65_536n, files: 1 };
      const flood = await attack("yes | head -c 3000000", { maxIoBytes: 1000, log });
      assert.deepEqual([flood.end.output.length, flood.end.outputCut], [1000, true]);
      assert.deepEqual(kindsOf(flood), [SandboxIncidentKind.OUT_OF_OUTPUT]);
      assert.ok(flood.said.length <= 2 * 65_536, `${flood.said.length} bytes of log`);
    }),

    all.test("what its input or its secrets are, by the engine's or the environment's word", async () => {
      const ask = await askFor(room.engine, { image, entrypoint: ["/bin/sh", "-c", "env; cat"] });
      const cell = await room.sandboxes.start(ask, room.signal);
      await room.sandboxes.give(cell, Buffer.from("very-private"), room.signal);
      const inspected = JSON.stringify(await engine.docker.getContainer(cell.containerId).inspect());
      const { output } = await room.sandboxes.ended(cell, room.signal);
      await room.sandboxes.remove(cell, room.signal);
      assert.doesNotMatch(inspected, /very-private|secret of/);
      const names = Buffer.from(output)
        .toString()
        .match(/^[A-Z_]+(?==)/gm)
        ?.sort();
      const ours = ["ORCHESTRATOR_AGENT", "ORCHESTRATOR_BROKER", "ORCHESTRATOR_SECRETS"];
      assert.deepEqual(names, ["HOME", "HOSTNAME", ...ours, "PATH", "PWD", "SHLVL"]);
    }),

    all.test("folders of the node that lead elsewhere, or must never be seen", async () => {
      // Not below /tmp, nor in the room's own folder: as an operator would have it.
      const place = join(engine.dir, "shared");
      await mkdir(join(place, "real/inner"), { recursive: true });
      await mkdir(join(place, "open/inner"), { recursive: true });
      await symlink("/etc", join(place, "link"));
      await symlink("real", join(place, "way"));
      await chmod(join(place, "open"), 0o777);
      const refused = [
        ...["/", "/proc", "/proc/1", "/sys/fs", "/dev", "/run", "/var/run/docker.sock", "/boot"],
        ...[folder.path, join(folder.path, "cells"), engine.dir, join(engine.dir, "data/containers")],
        ...[join(place, "link"), join(place, "way/inner"), `${place}/real/../real`, `${place}/real/`],
        ...[join(place, "missing"), join(place, "open/inner")],
      ];
      for (const nodePath of refused) {
        const mounts = [{ nodePath, path: "/shown" }];
        await assert.rejects(attack("true", { mounts }), (thrown: unknown) => {
          const { kind, message } = asFailure(thrown);
          assert.equal(kind, "denied", nodePath);
          return message.startsWith("spec.mounts[0].node_path: ");
        });
      }
      for (const path of ["/proc", "/proc/x", "/run/orchestrator", "/run", "/dev/shm", "/x/../proc"]) {
        const hidden = attack("true", { mounts: [{ nodePath: join(place, "real"), path }] });
        await assert.rejects(hidden, ({ kind }: { kind: string }) => kind === "invalid");
      }
      const mounts = [{ nodePath: join(place, "real"), path: "/shown" }];
      const shown = await attack("ls /shown; echo x > /shown/x || echo refused", { mounts });
      assert.equal(shown.text, "inner\nrefused\n");
    }),

    all.test("an isolation that this node does not have", async () => {
      for (const isolation of ["oci:runsc", "microvm"]) {
        const refused = attack("true", { isolation });
        await assert.rejects(refused, ({ kind }: { kind: string }) => kind === "unsupported");
      }
      assert.equal((await attack("echo runs", { isolation: "oci:runc" })).text, "runs\n");
    }),
  ];
  await Promise.all(attempts);
});
