import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { readLockFile } from "../../../src/daemon/locks/lock-file.ts";
import { tempFolder } from "../../fixtures/folder.ts";

const room = new URL("../../../src/daemon/locks/", import.meta.url);

test("a lock file is read as far as its first line, whatever is in it", () => {
  using folder = tempFolder();
  const path = join(folder.path, "lock");
  const reason = (content: string | Buffer) => {
    writeFileSync(path, content);
    return readLockFile(path, 0)?.reason;
  };
  assert.equal(readLockFile(path, 0), undefined);
  assert.equal(reason(""), "");
  assert.equal(reason("filling tank 3\nand more"), "filling tank 3");
  assert.equal(reason("  \u001b[31mred\u0007\r\n"), "[31mred");
  assert.equal(reason("ü".repeat(200)), "ü".repeat(127), "255 bytes, and no half of a character");
  assert.equal(reason(Buffer.from([0xff, 0xfe, 0x0a])), "\ufffd\ufffd");
  truncateSync(path, 2 ** 40);
  assert.equal(readLockFile(path, 0)?.reason.length, 2);
});

test("only what is a plain file counts: a link, a pipe, a device and a folder do not, and none is opened", () => {
  using folder = tempFolder();
  const path = join(folder.path, "lock");
  const kinds: Record<string, () => void> = {
    link: () => symlinkSync("/etc/passwd", path),
    pipe: () => execFileSync("mkfifo", [path]),
    device: () => execFileSync("mknod", [path, "c", "1", "5"]),
    folder: () => mkdirSync(path),
  };
  for (const [kind, make] of Object.entries(kinds)) {
    make();
    assert.equal(readLockFile(path, 0), undefined, kind);
    rmSync(path, { recursive: true });
  }
});

test("a daemon without root's powers believes what it may not read, and starts programs all the same", () => {
  using folder = tempFolder();
  const places = ["his/lock", "hidden/lock"];
  const script = `
    import { LockFolders } from ${JSON.stringify(new URL("lock-folders.ts", room).href)};
    const log = { warn() {} };
    using folders = new LockFolders({ folder: ${JSON.stringify(folder.path)}, log, onChange() {} });
    const read = () => ["his", "hidden"].map((name) => folders.read(name, 0)?.reason ?? null);
    const before = read();
    for (const name of ["his", "hidden"]) await folders.empty(name);
    console.log(JSON.stringify([before, read()]));`;
  for (const place of places) {
    mkdirSync(join(folder.path, dirname(place)));
    writeFileSync(join(folder.path, place), "secret", { mode: 0o600 });
    for (const path of [place, dirname(place)]) chownSync(join(folder.path, path), 1000, 1000);
  }
  chmodSync(join(folder.path, "his"), 0o777);
  chmodSync(join(folder.path, "hidden"), 0o700);
  const powerless = ["--inh-caps=-all", "--bounding-set=-all", process.execPath];
  const said = execFileSync("setpriv", [...powerless, "--input-type=module", "-e", script], {
    encoding: "utf8",
  });
  const unseen = "the daemon cannot look into its lock folder (EACCES)";
  assert.deepEqual(JSON.parse(said), [
    ["", unseen],
    [null, unseen],
  ]);
});

test("what an earlier run left does not count, whatever time its program gave it", () => {
  using folder = tempFolder();
  const path = join(folder.path, "lock");
  writeFileSync(path, "left");
  const made = statSync(path).ctimeMs;
  assert.equal(readLockFile(path, made + 1), undefined);
  assert.equal(readLockFile(path, made - 1)?.reason, "left");
  utimesSync(path, new Date("2040-01-01"), new Date("2040-01-01"));
  assert.equal(readLockFile(path, Date.now() + 1_000), undefined);
  utimesSync(path, new Date(0), new Date(0));
  assert.equal(readLockFile(path, made - 1)?.reason, "left");
});
