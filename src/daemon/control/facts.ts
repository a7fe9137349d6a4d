import { Facts } from "../../base/facts.ts";
import type { LineState } from "./state.ts";

/** Told of each state that the line comes to. */
export const lineFacts = new Facts<LineState>();
