/**
 * Agents: programs that may be executed, each with what it is and may. Every version of a manifest is kept as it was deployed,
 * with the very image that it meant then; what is executed is one version, and no other.
 */
export {};
