/**
 * What programs wrote: the newest lines that meet what is asked, read from the engine.
 */

export { Logs } from "./logs.ts";
