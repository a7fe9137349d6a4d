/**
 * The hub in figures, for Prometheus. Whatever the fleet's size there are as many: no label names a node, a command or an
 * operator. docs/observability.md has them all.
 */
export { figuresOf } from "./figures.ts";
