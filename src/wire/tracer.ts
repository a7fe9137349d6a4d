import * as v from "valibot";
import type { Logger } from "../base/log.ts";
import { optional } from "../base/setting-kinds.ts";
import type { Settings } from "../base/settings.ts";
import { type Tracer, traceWith } from "./tracing.ts";
import { version } from "./version.ts";

/** Settings of every program that takes part in traces. */
export const traceSettings = {
  "traces.endpoint": optional<string>({
    schema: v.pipe(
      v.string(),
      v.url(),
      v.check((url) => /^https?:/.test(url)),
    ),
    doc: "Where traces of commands are sent, by OTLP over HTTP; the variable OTEL_EXPORTER_OTLP_ENDPOINT says so, too. Nothing is traced when neither is set.",
    allowed: "a URL, as in http://127.0.0.1:4318",
  }),
} satisfies Settings;

/** The base of all OTLP endpoints, as OpenTelemetry has it. */
const usualVariable = "OTEL_EXPORTER_OTLP_ENDPOINT";

export interface TracingOptions {
  /** As in `hub`. */
  program: string;
  /** `traces.endpoint`. */
  endpoint: string | undefined;
  env: NodeJS.ProcessEnv;
  log: Logger;
}

/**
 * Sends traces to an endpoint until it is closed, which sends what is left. Without an endpoint it does nothing, and OpenTelemetry
 * is not even loaded. An endpoint that is away costs the spans, and nothing else: at most 2048 wait for it.
 */
export async function openTracing({ program, endpoint, env, log }: TracingOptions): Promise<AsyncDisposable> {
  const base = endpoint ?? (env[usualVariable] || undefined);
  if (base === undefined) return { [Symbol.asyncDispose]: () => Promise.resolve() };
  const { provider, tracer } = await openTelemetry(program, base);
  traceWith(tracer);
  log.info({ endpoint: base }, "traces are sent");
  return {
    async [Symbol.asyncDispose]() {
      traceWith(undefined);
      await provider.shutdown().catch((error: unknown) => log.warn({ error }, "traces could not be sent"));
    },
  };
}

async function openTelemetry(program: string, base: string) {
  const [api, { BatchSpanProcessor, TracerProvider }, { OTLPTraceExporter }, { resourceFromAttributes }] =
    await Promise.all([
      import("@opentelemetry/api"),
      import("@opentelemetry/sdk-trace"),
      import("@opentelemetry/exporter-trace-otlp-proto"),
      import("@opentelemetry/resources"),
    ]);
  const { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } = api;
  const exporter = new OTLPTraceExporter({ url: `${base.replace(/\/+$/, "")}/v1/traces` });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      "service.name": `orchestrator-${program}`,
      "service.version": version,
    }),
    spanProcessors: [new BatchSpanProcessor({ exporter })],
  });
  const from = provider.getTracer("orchestrator", version);
  const kinds = { server: SpanKind.SERVER, client: SpanKind.CLIENT };
  const tracer: Tracer = (name, { parent, kind, attributes, startedAt }) => {
    const of = contextOf(parent);
    const context = of ? trace.setSpanContext(ROOT_CONTEXT, of) : ROOT_CONTEXT;
    const span = from.startSpan(
      name,
      {
        kind: kind ? kinds[kind] : SpanKind.INTERNAL,
        ...(attributes && { attributes }),
        ...(startedAt !== undefined && { startTime: startedAt }),
      },
      context,
    );
    const { traceId, spanId, traceFlags } = span.spanContext();
    return {
      traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`,
      end(failed) {
        if (failed !== undefined) {
          const message = failed instanceof Error ? failed.message : String(failed);
          span.setStatus({ code: SpanStatusCode.ERROR, message });
        }
        span.end();
      },
    };
  };
  return { provider, tracer };
}

/** What a caller passed on. What is no trace context is as if it were not there: callers write what they like. */
function contextOf(parent: string | undefined) {
  const [, traceId, spanId, flags] =
    /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})/.exec(parent ?? "") ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
}
