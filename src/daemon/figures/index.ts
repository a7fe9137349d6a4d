/**
 * The node in figures, for Prometheus: what runs, what does not, and the line. Labels name runtimes and agents of this node,
 * and nothing that there is more of. docs/observability.md has them all.
 */
export { countEvents, figuresOf } from "./figures.ts";
