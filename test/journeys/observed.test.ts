/** What operators see of hub and node from outside: figures for Prometheus, and a command's trace across both programs. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { RuntimeProfile, Runtimes } from "../../gen/edge/v1/runtimes_pb.ts";
import { sharedEngine } from "../fixtures/engine.ts";
import { freePort } from "../fixtures/port.ts";
import { type SeenSpan, traceReceiver } from "../fixtures/trace-receiver.ts";
import { until } from "./until.ts";
import { startWorld } from "./world.ts";

test("figures of hub and node, and one trace from the API to the engine", async () => {
  await using engine = await sharedEngine();
  await using receiver = await traceReceiver();
  const [hubPort, nodePort] = [await freePort(), await freePort()];
  await using world = await startWorld({
    engine,
    env: {
      ORCHESTRATOR_HUB_METRICS_LISTEN: `127.0.0.1:${hubPort}`,
      ORCHESTRATOR_DAEMON_METRICS_LISTEN: `127.0.0.1:${nodePort}`,
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
    },
  });
  const name = `seen-${process.pid}`;
  const runtimes = world.remote(Runtimes);
  const traceId = "0123456789abcdef0123456789abcdef";
  const headers = { traceparent: `00-${traceId}-0123456789abcdef-01` };
  const spec = { name, image: world.image, profile: RuntimeProfile.PLAIN, stopGraceMs: 500 };
  await runtimes.createRuntime({ spec }, { headers });

  const { hub, node } = await until("both tell what was done", async () => {
    const [hub, node] = [await figuresAt(hubPort), await figuresAt(nodePort)];
    assert.equal(hub.get("orchestrator_hub_lines"), 1);
    assert.equal(hub.get('orchestrator_hub_streams_total{event="welcomed"}'), 1);
    assert.equal(hub.get('orchestrator_hub_command_seconds_count{outcome="done"}'), 1);
    assert.equal(hub.get("orchestrator_hub_commands_pending"), 0);
    assert.equal(node.get("orchestrator_line_up"), 1);
    assert.equal(node.get("orchestrator_engine_reachable"), 1);
    assert.equal(node.get(`orchestrator_runtime_running{runtime="${name}"}`), 1);
    assert.equal(node.get('orchestrator_command_seconds_count{command="create_runtime",outcome="done"}'), 1);
    return { hub, node };
  });
  const told = new Set(
    [...hub.keys(), ...node.keys()].map((one) => one.replace(/^# TYPE (\S+).*|\{.*/, "$1")),
  );
  for (const file of ["install/prometheus/alerts.yml", "install/grafana/orchestrator.json"]) {
    const unknown = namesIn(file).filter((one) => !told.has(one));
    assert.deepEqual(unknown, [], `${file} names figures that nobody tells`);
  }
  const documented = new Set(namesIn("docs/observability.md"));
  const silent = [...told].filter((one) => /^orchestrator_/.test(one) && !isDocumented(one, documented));
  assert.deepEqual(silent, [], "docs/observability.md does not tell of these figures");

  await runtimes.deleteRuntime({ name });

  // What was not sent yet is sent when a program ends.
  await Promise.all([world.daemon.stop(), world.hub.stop()]);
  const step = (what: string) =>
    until(`the step ${what} arrives`, () =>
      receiver.spans.find((one) => one.traceId === traceId && one.name === what),
    );
  const isWithin = (inner: SeenSpan, outer: SeenSpan) => assert.equal(inner.parentId, outer.id, inner.name);
  const api = await step("edge.v1.Runtimes/CreateRuntime");
  assert.equal(api.parentId, "0123456789abcdef");
  assert.equal(api.service, "orchestrator-hub");
  for (const what of ["wait in the queue", "deliver"]) isWithin(await step(what), api);
  const accept = await step("accept");
  isWithin(accept, api);
  assert.equal(accept.service, "orchestrator-daemon");
  isWithin(await step("policy"), accept);
  const handle = await step("handle create_runtime");
  isWithin(handle, api);
  isWithin(await step("engine: start the container"), handle);
});

/** Every figure of a page, by its name with its labels, and the lines that say of which type one is. */
async function figuresAt(port: number): Promise<Map<string, number>> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("# HELP"));
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(" ");
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

function namesIn(file: string): string[] {
  const text = readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");
  return [...new Set(text.match(/\b(?:orchestrator|process|nodejs)_[a-z0-9_]*[a-z0-9]\b/g) ?? [])];
}

/** Of a histogram, the page has three names and people know one. */
function isDocumented(name: string, documented: ReadonlySet<string>): boolean {
  return documented.has(name) || documented.has(name.replace(/_(?:bucket|sum|count)$/, ""));
}
