/**
 * Wishes: what should run. What is wrong with a wish, what it means, how it differs from another one, what container it makes,
 * whether the node takes it beside its others, and where it is kept. Nothing here asks the engine or changes it: that is for
 * whoever closes the gap.
 */
export { type Admission, type Asker, admit } from "./admission.ts";
export { capabilitiesSetting, usualCapabilities } from "./capabilities.ts";
export { checkSpec, wrongSpec } from "./check.ts";
export { containerOptions, labelsOf, limitsOf, networkOptions } from "./container.ts";
export { devicesSetting, usualDevices } from "./device-policy.ts";
export { devicesOf } from "./devices.ts";
export { lockFolderOf, withoutLockFolder } from "./lock-mount.ts";
export { mountsOf, versionVolumesOf } from "./mounts.ts";
export { type Other, waitsFor } from "./order.ts";
export { profileOf, profileVersion, stopGraceMsOf } from "./profile.ts";
export { differences, hashOf, keptForm } from "./spec.ts";
export { instanceIdOf, Store, schema } from "./store.ts";
export { isNamed } from "./ulimits.ts";
export { desiredOf, planUpdate, type UpdatePlan } from "./update-plan.ts";
export type { Update } from "./updates.ts";
export { type LanKnown, vnicsOf } from "./vnics.ts";
export type { Ended, Probation, Untold, Version, Wish } from "./wish.ts";
