/** A limit of getrlimit(2) for each process, in lower case without `RLIMIT_`. */
export type Rlimit = (typeof rlimits)[number];

/** In the order of their numbers, which an engine names when it may not raise one. */
export const rlimits = [
  ...(["cpu", "fsize", "data", "stack", "core", "rss", "nproc", "nofile", "memlock", "as", "locks"] as const),
  ...(["sigpending", "msgqueue", "nice", "rtprio", "rttime"] as const),
];
