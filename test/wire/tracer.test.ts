import assert from "node:assert/strict";
import { registerHooks } from "node:module";
import { test } from "node:test";
import pino from "pino";

const loaded: string[] = [];
registerHooks({
  resolve(specifier, context, next) {
    const found = next(specifier, context);
    loaded.push(found.url);
    return found;
  },
});
const { startHub } = await import("../fixtures/hub.ts");
const { freePort } = await import("../fixtures/port.ts");
const { openTracing } = await import("../../src/wire/tracer.ts");
const { traced, traceparent } = await import("../../src/wire/tracing.ts");
const { traceReceiver } = await import("../fixtures/trace-receiver.ts");
const { until } = await import("../journeys/until.ts");

const log = pino({ level: "silent" });
const has = (name: string) => loaded.some((url) => url.includes(`/node_modules/${name}/`));

test("OpenTelemetry and prom-client are loaded only where they are asked for", async () => {
  {
    await using _hub = await startHub();
    await using _traces = await openTracing({ program: "test", endpoint: undefined, env: {}, log });
    assert.equal(await traced("nothing", {}, () => Promise.resolve(traceparent())), "");
  }
  assert.deepEqual(["@opentelemetry/api", "@opentelemetry/sdk-trace", "prom-client"].filter(has), []);

  await using receiver = await traceReceiver();
  await using _hub = await startHub({ ORCHESTRATOR_HUB_METRICS_LISTEN: `127.0.0.1:${await freePort()}` });
  assert.ok(has("prom-client"));
  {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint };
    await using _traces = await openTracing({ program: "test", endpoint: undefined, env, log });
    const failed = traced("outer", { parent: "no trace context" }, () =>
      traced("inner", { onlyWithin: true }, () => Promise.reject(new Error("in vain"))),
    );
    await assert.rejects(failed, /in vain/);
    await traced("alone", { onlyWithin: true }, () => Promise.resolve());
  }
  const [inner, outer] = await until("closing has sent what was left", () => {
    const found = ["inner", "outer"].map((name) => receiver.spans.find((one) => one.name === name));
    return found.every((one) => one !== undefined) && found;
  });
  assert.equal(inner?.parentId, outer?.id);
  assert.equal(outer?.parentId, "");
  assert.ok(!receiver.spans.some(({ name }) => name === "alone"));
});
