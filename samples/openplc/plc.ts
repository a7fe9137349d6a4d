/** What a log line of the runtime is. */
export interface LogLine {
  id: number;
  timestamp: string;
  level: string;
  message: string;
}

/** The scan cycle's figures, in microseconds but for the counts. */
export interface TimingStats {
  scan_count: number;
  scan_time_min: number;
  scan_time_max: number;
  scan_time_avg: number;
  cycle_time_min: number;
  cycle_time_max: number;
  cycle_time_avg: number;
  cycle_latency_min: number;
  cycle_latency_max: number;
  cycle_latency_avg: number;
  overruns: number;
}

/** A PLC that scans nothing, with the core's own answers: text that ends in a newline. */
export interface Plc {
  start(): string;
  stop(): string;
  status(): string;
  timingStats(): TimingStats;
  log(level: string, message: string): void;
  /** Log lines from this id on, of this level only when one is given. */
  logs(fromId: number, level: string | undefined): LogLine[];
}

const cycleMs = 20;
/** What the log keeps; the oldest line goes first. */
const logLines = 1000;

/** A PLC that runs its program at once, as the real one does after a boot. `now` is wall time in ms. */
export function createPlc(now: () => number): Plc {
  const lines: LogLine[] = [];
  let nextId = 0;
  let runningSince: number | undefined;

  const plc: Plc = {
    start() {
      if (runningSince !== undefined) return "START:ERROR_ALREADY_RUNNING\n";
      runningSince = now();
      plc.log("INFO", "PLC started");
      return "START:OK\n";
    },
    stop() {
      if (runningSince === undefined) return "STOP:ERROR\n";
      runningSince = undefined;
      plc.log("INFO", "PLC stopped");
      return "STOP:OK\n";
    },
    status: () => (runningSince === undefined ? "STATUS:STOPPED\n" : "STATUS:RUNNING\n"),
    timingStats: () => statsAfter(runningSince === undefined ? 0 : now() - runningSince),
    log(level, message) {
      lines.push({ id: nextId++, timestamp: new Date(now()).toISOString(), level, message });
      if (lines.length > logLines) lines.shift();
    },
    logs: (fromId, level) =>
      lines.filter(
        (line) => line.id >= fromId && (level === undefined || line.level === level.toUpperCase()),
      ),
  };
  plc.start();
  return plc;
}

function statsAfter(elapsedMs: number): TimingStats {
  const cycleUs = cycleMs * 1000;
  return {
    ...{ scan_count: Math.floor(elapsedMs / cycleMs), overruns: 0 },
    ...{ scan_time_min: 40, scan_time_max: 90, scan_time_avg: 55 },
    ...{ cycle_time_min: cycleUs - 50, cycle_time_max: cycleUs + 50, cycle_time_avg: cycleUs },
    ...{ cycle_latency_min: 5, cycle_latency_max: 60, cycle_latency_avg: 15 },
  };
}
