/**
 * Cells: the containers of agents, each confined by the same one function, started, given the input of one task, and removed
 * after it. What a cell is for is decided elsewhere; what it may is decided here, and is never less than asked.
 */
export type {
  Cell,
  CellAsk,
  CellEnd,
  CellIdentity,
  CellIncident,
  CellLog,
  CellNetwork,
  FoundCell,
  Provider,
  Provision,
} from "./cell.ts";
export { confinementViolations } from "./check.ts";
export { noInputCode, noInputLine } from "./first-process.ts";
export { Sandboxes, type SandboxesOptions } from "./sandboxes.ts";
