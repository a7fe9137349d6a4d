/**
 * The largest frame of the line and the largest request of a door, in bytes. A command or result that is larger is refused
 * by its sender with `exhausted`; what carries bytes without end is a channel, never a frame.
 */
export const maxFrameBytes = 1 << 20;

/**
 * What the transport takes before it gives up on the stream. Larger than `maxFrameBytes`, so that a frame a little over the
 * limit gets a typed failure and not a broken stream.
 */
export const maxTransportBytes = 4 << 20;

/** The longest sentence in an event or a progress, in bytes of UTF-8: the contract's rules say the same. */
export const maxReasonBytes = 4096;

/** How long a command may take when it does not say, in milliseconds. A slow pull over a plant's uplink fits. */
export const defaultBudgetMs = 10 * 60_000;

/** The same for a command that asks for this request: what it lets a new version take is beside that. */
export function usualBudgetMs(request: object | undefined): number {
  const probationMs = request && "probationMs" in request ? Number(request.probationMs) : 0;
  return defaultBudgetMs + probationMs;
}

/** How long a command may take at most, in milliseconds; `Command.budget_ms` says the same. */
export const maxBudgetMs = 24 * 3_600_000;

/** How long a command waits for a node that is away when it does not say, in milliseconds. */
export const defaultExpiryMs = 24 * 3_600_000;

/** Commands that a hub may have sent and the node not acknowledged. */
export const commandWindow = 64;

/** Time between beats when nothing else is configured, in milliseconds. A lease is three of them. */
export const defaultBeatMs = 5_000;

/** The lease that belongs to a beat interval: one lost beat is an accident, three are an outage. */
export function leaseMsOf(beatMs: number): number {
  return 3 * beatMs;
}

/** Protocol versions that this program speaks. */
export const protocol = { min: 1, max: 1 } as const;
