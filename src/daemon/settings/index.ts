/**
 * The settings while the daemon runs: read again when the file changes or somebody asks, checked as at the start, and taken
 * where a room can take them at once. What was before stays in force when the new ones are wrong.
 */
export { LiveSettings } from "./live-settings.ts";
export { Reloading, type SettingsSource } from "./reloading.ts";
