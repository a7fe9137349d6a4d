/** One thing to do on the engine, and why. Containers, networks and volumes are named by the engine's id or name. */
export type Step = { reason: string } & (
  | { do: "ensureImage" }
  | { do: "createNetwork" }
  /** Keeps which image a container has that an earlier version of this program made. */
  | { do: "keepImage"; imageId: string }
  | { do: "createVolume"; volume: string }
  | { do: "createContainer" }
  | { do: "awaitNetmon" }
  /** `isAsked`: whoever asked for a start waits until the vNICs have settled. */
  | { do: "attach"; container: string; isAsked: boolean }
  | { do: "detach" }
  | { do: "attachNetwork"; container: string }
  /** `isAsked`: a command asked for this start; else the loop mends. */
  | { do: "startContainer"; container: string; isAsked: boolean }
  | { do: "verify"; container: string }
  | { do: "setRestarts"; container: string; policy: RestartPolicy }
  /** Those that were changed while it goes on. */
  | { do: "setLimits"; container: string }
  | { do: "stopContainer"; container: string; graceMs: number }
  | { do: "removeContainer"; container: string; name: string }
  | { do: "removeNetwork"; network: string; name: string }
  | { do: "removeVolume"; volume: string }
  /** One of an old version, which may stay when it cannot be had. */
  | { do: "dropVolume"; volume: string }
  | { do: "forget" }
);

/** Whether the engine may start a container again by itself, in its own words. */
export type RestartPolicy = "no" | "on-failure" | "unless-stopped";

/** A step that removes something. */
export type Removal = Extract<Step, { do: "removeContainer" | "removeNetwork" | "removeVolume" }>;
