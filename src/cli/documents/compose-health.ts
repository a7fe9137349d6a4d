import type { SpecInit } from "./compose-limits.ts";
import { below, durationMs, keysOf, type Refuse, textOf, textsOf, wholeOf } from "./compose-values.ts";

const keys = ["test", "disable", "interval", "timeout", "retries", "start_period"] as const;

/** What Compose means where it says nothing, as far as that is not what we mean: 30 s for an answer, and no patience at first. */
const usual = { timeoutMs: 30_000, startPeriodMs: 1_000 };

/** `healthcheck` of a service. */
export function healthFrom(value: unknown, refuse: Refuse): NonNullable<SpecInit["health"]> {
  const of = keysOf(value, keys, refuse, (key) =>
    key === "start_interval"
      ? "is not kept: checks come as often as interval says"
      : "has no meaning here: leave it out",
  );
  const ms = (key: (typeof keys)[number]) =>
    of[key] === undefined ? undefined : durationMs(of[key], below(refuse, key));
  if (of.disable === true || of.disable === "true") return { disabled: true };
  const test = of.test === undefined ? undefined : testOf(of.test, below(refuse, "test"));
  if (test === "none") return { disabled: true };
  const startPeriodMs = ms("start_period");
  const retries = of.retries === undefined ? undefined : wholeOf(of.retries, below(refuse, "retries"));
  return {
    ...(test && { exec: { command: test } }),
    intervalMs: ms("interval") ?? 0,
    timeoutMs: ms("timeout") ?? (test ? usual.timeoutMs : 0),
    failures: Number(retries ?? 0n),
    startPeriodMs: startPeriodMs ? Math.max(1_000, startPeriodMs) : test ? usual.startPeriodMs : 0,
  };
}

function testOf(value: unknown, refuse: Refuse): string[] | "none" | undefined {
  const line = textOf(value);
  if (line !== undefined) return ["/bin/sh", "-c", line];
  const [kind, ...rest] = textsOf(value, refuse);
  if (kind === "NONE") return "none";
  if (kind === "CMD" && rest.length > 0) return rest;
  if (kind === "CMD-SHELL" && rest.length === 1) return ["/bin/sh", "-c", rest[0] ?? ""];
  return refuse("must be a text, or a list that begins with CMD, CMD-SHELL or NONE");
}
