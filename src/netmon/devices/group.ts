import type { DeviceNumber } from "../../wire/device-path.ts";

/** What a container may do with a device: `r` or `rw`. To make nodes of it is never among it. */
export type Access = "r" | "rw";

/** A line of a list of rights: the kernel's own words, `*` for all. */
export interface Rule {
  readonly kind: string;
  readonly major: string;
  readonly minor: string;
  readonly access: string;
}

/** The control group of a container, as far as it decides about devices. */
export interface Group {
  /** What its members may use, as far as that can be told. @throws {Failure} denied, not_found, unavailable. */
  rules(): Promise<Rule[]>;
  /** Lets the members use one device, or no more. @throws {Failure} denied: netmon may not. not_found: the group is gone. */
  change(which: "allow" | "deny", number: DeviceNumber, access: Access): Promise<void>;
}
