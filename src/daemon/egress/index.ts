/**
 * Egress: where agents may connect to. Their network namespaces are closed by netmon before their programs run; the names that they
 * may ask for are answered here, after their addresses were opened, and everything else that they try is told.
 */
export { Egress } from "./egress.ts";
export { egressSettings, egressSettingsOf } from "./egress-settings.ts";
export { schema } from "./store.ts";
