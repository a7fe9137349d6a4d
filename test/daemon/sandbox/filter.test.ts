/**
 * The two filters of system calls that a cell has, the engine's with our profile and our own, are read out of a running cell and
 * asked about every call there is, with every argument that one of them looks at.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { filterOf } from "../../../src/daemon/sandbox/calls/filter.ts";
import { machines, refusedCalls } from "../../../src/daemon/sandbox/calls/refused.ts";
import { framed, opening } from "../../../src/daemon/sandbox/first-process.ts";
import { type EngineAddress, sharedEngine } from "../../fixtures/engine.ts";
import { tempFolder } from "../../fixtures/folder.ts";
import { attackImage, calls } from "./attack-image.ts";
import { type Call, filtersOf, type Instruction, parsed, verdictOn } from "./filter-of.ts";
import { askFor, openRoom } from "./room.ts";

let engine: EngineAddress & AsyncDisposable;
let image: string;

before(async () => {
  engine = await sharedEngine();
  image = await attackImage(engine);
});
after(async () => await engine?.[Symbol.asyncDispose]());

const [allow, trace, ask] = [0x7fff_0000, 0x7ff0_0000, 0x7fc0_0000];
const action = (verdict: number) => (verdict & 0xffff_0000) >>> 0;

const [own, small] = process.arch === "arm64" ? (["arm64", "arm"] as const) : (["x64", "i386"] as const);

/** Every call of this machine's two kinds; with each argument that makes a difference to one of these filters. */
function* everyCall(filters: readonly Instruction[][]): Generator<Required<Call>> {
  const flags = Array.from({ length: 32 }, (_, bit) => 2 ** bit);
  const small64 = Array.from({ length: 64 }, (_, i) => i);
  const values = [...small64, ...flags, 0x2_0008, 0xffff_ffff, 0o020666, 0o060600];
  for (const arch of [machines[own], machines[small]]) {
    for (let nr = 0; nr < 600; nr++) {
      let looks = false;
      const plain = { nr, arch, args: [0, 0, 0] };
      for (const filter of filters) verdictOn(filter, plain, () => (looks = true));
      yield plain;
      if (!looks) continue;
      for (const value of values) {
        for (const args of [
          [value, value, value],
          [2, value, value],
          [0x3d_0f00 + value, 0, 0],
        ])
          yield { nr, arch, args };
      }
    }
  }
}

test("nothing is open in a cell that the engine itself would refuse, nor the other way round but for what is told", async () => {
  using folder = tempFolder();
  await using room = openRoom(folder.path, engine);
  const plain = await engine.docker.createContainer({
    ...{ Image: image, Cmd: ["/bin/sh", "-c", "sleep 60"], User: "65532" },
    HostConfig: { CapDrop: ["ALL"], SecurityOpt: ["no-new-privileges"], NetworkMode: "none" },
  });
  const cell = await room.sandboxes.start(
    { ...(await askFor(room.engine, { image, entrypoint: ["/bin/sh", "-c", "sleep 60"] })), commandId: "" },
    room.signal,
  );
  try {
    await plain.start();
    const usual = (await filtersOf((await plain.inspect()).State.Pid))[0] ?? [];
    const { State } = await engine.docker.getContainer(cell.containerId).inspect();
    const [ofEngine = [], ours = [], ...more] = await untilBoth(State.Pid);
    assert.deepEqual([more, Buffer.compare(bytesOf(ours), filterOf())], [[], 0]);
    const wrong = new Set<string>();
    for (const call of everyCall([usual, ofEngine, ours])) {
      const [asUsual, here, told] = [usual, ofEngine, ours].map((filter) => action(verdictOn(filter, call)));
      const what = `${call.nr} of ${call.arch.toString(16)} with ${call.args.join(", ")}`;
      if (here === allow && asUsual !== allow) wrong.add(`${what} is open`);
      if (here === trace && told !== ask) wrong.add(`${what} is not told`);
      if (asUsual === allow && here !== allow && told !== ask && !libraryTries.has(call.nr))
        wrong.add(`${what} is shut`);
    }
    assert.deepEqual([...wrong].slice(0, 10), []);
  } finally {
    await plain.remove({ force: true, v: true });
    await room.sandboxes.remove(cell, room.signal);
  }
});

/** io_uring, which later engines have shut: libraries try it and do without. */
const libraryTries = new Set([425, 426, 427]);

/** Its first process puts the second before itself when it has been told. */
async function untilBoth(pid: number): Promise<Instruction[][]> {
  for (;;) {
    const filters = await filtersOf(pid);
    if (filters.length > 1) return filters;
  }
}

function bytesOf(program: readonly Instruction[]): Buffer {
  return Buffer.concat(
    program.map(({ code, jt, jf, k }) => {
      const bytes = Buffer.alloc(8);
      bytes.writeUInt16LE(code, 0);
      bytes.writeUInt8(jt, 2);
      bytes.writeUInt8(jf, 3);
      bytes.writeUInt32LE(k, 4);
      return bytes;
    }),
  );
}

test("the filter asks about what is refused, on each machine, and about nothing else", () => {
  for (const [machine, kinds] of [
    ["x64", ["x64", "i386"]],
    ["arm64", ["arm64", "arm"]],
  ] as const) {
    const filter = parsed(filterOf(machine));
    for (const kind of kinds) {
      const asked = (nr: number, ...args: number[]) =>
        verdictOn(filter, { nr, arch: machines[kind], args }) === ask;
      const numberOf = (name: string) => refusedCalls.find((call) => call.name === name)?.numbers[kind] ?? -1;
      for (const { name, numbers, only } of refusedCalls) {
        if (numbers[kind] >= 0 && !only) assert.ok(asked(numbers[kind]), `${name} of ${kind}`);
      }
      const known = new Set(refusedCalls.map(({ numbers }) => numbers[kind]));
      for (let nr = 0; nr < 600; nr++)
        if (!known.has(nr)) assert.ok(!asked(nr, 0x7e02_0000, 0o020666, 0o020666), String(nr));
      assert.deepEqual(
        [17, 0x7e02_0011, 0x1000_0011, 0x003d_0f00].map((flags) => asked(numberOf("clone"), flags)),
        [false, true, true, false],
      );
      assert.deepEqual(
        [0o020600, 0o060600, 0o010600, 0o100600, 0].map((mode) => asked(numberOf("mknodat"), 0, 0, mode)),
        [true, true, false, false, false],
      );
      const sockets: [number, number][] = [
        [17, 2],
        [40, 1],
        [38, 5],
        [2, 3],
        [10, 0o2000003],
        [2, 10],
      ];
      const common: [number, number][] = [
        [1, 1],
        [2, 1],
        [2, 0o2000002],
        [10, 2],
        [16, 3],
        [1, 3],
      ];
      for (const [family, type] of sockets)
        assert.ok(asked(numberOf("socket"), family, type), `${family} ${type}`);
      for (const [family, type] of common)
        assert.ok(!asked(numberOf("socket"), family, type), `${family} ${type}`);
    }
  }
  const x64 = parsed(filterOf("x64"));
  assert.equal(verdictOn(x64, { nr: 0x4000_0000, arch: machines.x64 }), ask);
  assert.equal(verdictOn(x64, { nr: 0, arch: machines.arm64 }), ask);
});

test("a kernel that cannot ask refuses all the same, and tells nothing", async () => {
  using folder = tempFolder();
  await using room = openRoom(folder.path, engine);
  // A first process within a first process: only one of them may listen.
  const program = `print syscall(${calls.mount}, 0, 0, 0, 0, 0), " ", $! + 0`;
  const entrypoint = ["/run/orchestrator/init", "/tmp", "/bin/perl", "-e", program];
  const inner = opening(Buffer.alloc(8), { isAhead: false, filter: filterOf() });
  const cell = await room.sandboxes.start(await askFor(room.engine, { image, entrypoint }), room.signal);
  await room.sandboxes.give(cell, Buffer.concat([inner, framed(Buffer.alloc(0))]), room.signal);
  const { output, incidents } = await room.sandboxes.ended(cell, room.signal);
  await room.sandboxes.remove(cell, room.signal);
  assert.deepEqual([Buffer.from(output).toString(), incidents], ["-1 1", []]);
});
