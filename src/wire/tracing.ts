import { AsyncLocalStorage } from "node:async_hooks";

/** A step of a trace that is under way. */
export interface Span {
  /** What it passes on, as W3C Trace Context has it: `00-<trace>-<span>-<flags>`. */
  readonly traceparent: string;
  end(failed?: unknown): void;
}

export interface SpanOptions {
  /** What it belongs to; the step that is under way here when not given. */
  parent?: string | undefined;
  /** Whether it answers somebody elsewhere, or asks somebody elsewhere. */
  kind?: "server" | "client";
  /** Whether it is left out where no other step is under way: alone, it would be a trace that says nothing. */
  onlyWithin?: boolean;
  attributes?: Readonly<Record<string, string | number>>;
  /** When it began, wall time in milliseconds; now, when not given. */
  startedAt?: number;
}

/** Begins steps. There is one where an endpoint for traces is configured. */
export type Tracer = (name: string, options: SpanOptions) => Span;

let tracer: Tracer | undefined;
const current = new AsyncLocalStorage<Span>();

/** Begins to trace, or ends it. Of the whole program, as its memory is. */
export function traceWith(next: Tracer | undefined): void {
  tracer = next;
}

/** Whether anybody traces: what is dear to find out need not be found out for nobody. */
export function isTracing(): boolean {
  return tracer !== undefined;
}

/** What a message to another program carries, so that its steps belong to this one; empty when nobody traces. */
export function traceparent(): string {
  return current.getStore()?.traceparent ?? "";
}

/** Does `work` as a step of a trace. What it begins belongs to the step, in whatever turn of the event loop. */
export async function traced<T>(name: string, options: SpanOptions, work: () => Promise<T>): Promise<T> {
  if (!tracer || (options.onlyWithin && !current.getStore())) return await work();
  const span = begin(tracer, name, options);
  try {
    const done = await current.run(span, work);
    span.end();
    return done;
  } catch (thrown) {
    span.end(thrown);
    throw thrown;
  }
}

/** The same for what is done when it returns. */
export function tracedNow<T>(name: string, options: SpanOptions, work: () => T): T {
  if (!tracer) return work();
  const span = begin(tracer, name, options);
  try {
    const done = current.run(span, work);
    span.end();
    return done;
  } catch (thrown) {
    span.end(thrown);
    throw thrown;
  }
}

/** Begins a step that somebody else ends, as the way of a message; undefined when nobody traces. */
export function beginStep(name: string, options: SpanOptions): Span | undefined {
  return tracer && begin(tracer, name, options);
}

/** Notes a step that is over, as the waiting of a message. */
export function tracedSince(name: string, startedAt: number, options: SpanOptions): void {
  if (tracer) begin(tracer, name, { ...options, startedAt }).end();
}

function begin(tracer: Tracer, name: string, options: SpanOptions): Span {
  const { parent = "", onlyWithin: _, ...others } = options;
  return tracer(name, { ...others, parent: parent === "" ? current.getStore()?.traceparent : parent });
}
