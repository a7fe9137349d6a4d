/** What every bus does, whatever carries it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { failure } from "../../../src/base/failure.ts";
import type { Bus } from "../../../src/hub/bus/bus.ts";
import { until } from "../../journeys/until.ts";

export interface Mesh extends AsyncDisposable {
  join(): Promise<Bus>;
}

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (data: Uint8Array) => new TextDecoder().decode(data);

export function busSuite(name: string, openMesh: () => Promise<Mesh>): void {
  test(`${name}: everybody else hears what one says, in order, by words and wildcards`, async () => {
    await using mesh = await openMesh();
    await using a = await mesh.join();
    await using b = await mesh.join();
    await using c = await mesh.join();
    const heard: Record<string, string[]> = { own: [], star: [], rest: [], exact: [] };
    const listen = (bus: Bus, pattern: string, key: string) =>
      bus.subscribe(pattern, ({ subject, data }) => heard[key]?.push(`${subject}=${text(data)}`));
    listen(a, "wake.>", "own");
    const stop = listen(b, "wake.*", "star");
    listen(c, "wake.>", "rest");
    listen(c, "wake.one", "exact");
    await settled(a, b, c);
    for (const subject of ["wake", "wake.one", "wake.two", "wake.one.deep", "sleep.one"]) {
      a.publish(subject, bytes(subject));
    }
    const counts = () => [heard.star, heard.exact, heard.rest].map((some) => some?.length).join();
    await until("all that should be heard is", () => counts() === "2,1,3");
    assert.deepEqual(heard.own, [], "a member does not hear itself");
    assert.deepEqual(heard.star, ["wake.one=wake.one", "wake.two=wake.two"]);
    assert.deepEqual(heard.rest?.at(-1), "wake.one.deep=wake.one.deep");
    assert.deepEqual(heard.exact, ["wake.one=wake.one"]);
    stop();
    await settled(a, b, c);
    for (let n = 0; n < 500; n++) a.publish("wake.many", bytes(String(n)));
    await until("all are heard", () => heard.rest?.length === 503);
    assert.deepEqual(
      heard.rest?.slice(3),
      [...Array(500).keys()].map((n) => `wake.many=${n}`),
    );
    assert.equal(heard.star?.length, 2, "who stopped listening hears nothing");
  });

  test(`${name}: a question has one answer, or a failure that says why there is none`, async () => {
    await using mesh = await openMesh();
    await using a = await mesh.join();
    await using b = await mesh.join();
    const held = Promise.withResolvers<Uint8Array>();
    b.serve("read.b", async ({ data }) => bytes(`${text(data)}!`));
    b.serve("refuses.*", async () => {
      throw failure("conflict", "the id is in use");
    });
    const stop = b.serve("waits", () => held.promise);
    await settled(a, b);
    const timeoutMs = 60_000;
    assert.equal(text(await a.request("read.b", bytes("hello"), { timeoutMs })), "hello!");
    await assert.rejects(a.request("refuses.this", bytes(""), { timeoutMs }), { kind: "conflict" });
    // Who has to wait out the time of a question that nobody serves would fail this test by its own time.
    await assert.rejects(a.request("read.nobody", bytes(""), { timeoutMs: 10 * 60_000 }), {
      kind: "unavailable",
      message: /nobody serves read.nobody/,
    });
    await assert.rejects(b.request("read.b", bytes(""), { timeoutMs }), { kind: "unavailable" });
    await assert.rejects(a.request("waits", bytes(""), { timeoutMs: 50 }), { kind: "deadline" });
    const leaving = new AbortController();
    const left = a.request("waits", bytes(""), { timeoutMs, signal: leaving.signal });
    leaving.abort(failure("cancelled", "the caller left"));
    await assert.rejects(left, { kind: "cancelled" });
    const many = [...Array(500).keys()].map((n) => a.request("read.b", bytes(String(n)), { timeoutMs }));
    assert.deepEqual(
      (await Promise.all(many)).map(text),
      [...Array(500).keys()].map((n) => `${n}!`),
    );
    stop();
    held.resolve(bytes(""));
    await settled(a, b);
    await assert.rejects(a.request("waits", bytes(""), { timeoutMs }), { kind: "unavailable" });
  });

  test(`${name}: with too many questions under way the next is refused`, async () => {
    await using mesh = await openMesh();
    await using a = await mesh.join();
    await using b = await mesh.join();
    const held = Promise.withResolvers<Uint8Array>();
    b.serve("waits", () => held.promise);
    await settled(a, b);
    const many = [...Array(4096).keys()].map(() => a.request("waits", bytes(""), { timeoutMs: 60_000 }));
    await assert.rejects(a.request("waits", bytes(""), { timeoutMs: 60_000 }), { kind: "exhausted" });
    held.resolve(bytes("done"));
    assert.equal((await Promise.all(many)).map(text).filter((one) => one === "done").length, 4096);
  });
}

/** Waits until what members listen to and serve is known everywhere. */
export async function settled(...members: readonly Bus[]): Promise<void> {
  const [first, ...rest] = members;
  const met = rest.map(() => false);
  const stops = rest.map((bus, at) => bus.subscribe("settled", () => (met[at] = true)));
  await until("the first is heard", () => {
    first?.publish("settled", bytes(""));
    return met.every(Boolean);
  });
  for (const stop of stops) stop();
  // A member's own subscriptions reach its server before what it says.
  for (const bus of rest) {
    let heard = false;
    const stop = first?.subscribe("settled", () => (heard = true));
    await until("the first hears", () => {
      bus.publish("settled", bytes(""));
      return heard;
    });
    stop?.();
  }
}
