/** Where the kernel and the device manager show the machine. Arguments, so that a recorded machine can be read too. */
export interface Roots {
  /** Usually `/proc`. */
  proc: string;
  /** Usually `/sys`. */
  sys: string;
  /** Usually `/dev`. */
  dev: string;
  /** Usually `/etc`. */
  etc: string;
}

/** The roots of the machine that this program runs on. */
export const machineRoots: Roots = { proc: "/proc", sys: "/sys", dev: "/dev", etc: "/etc" };
