/**
 * Credentials: secrets that the node keeps, and lends to agents. They come sealed to the vault's own key, whichever door they take,
 * stand encrypted on disk, and leave for two places only: a file in memory that one cell sees, and a header that the gateway adds
 * to a request. Nothing here ever answers a value to a caller.
 */

export type { Credentials } from "./credentials.ts";
export {
  getSealingKey,
  listCredentials,
  removeCredential,
  rotateVaultKey,
  setCredential,
} from "./handlers.ts";
export { CredentialsRoom, vaultFolder } from "./room.ts";
export { credentialSettings, keySettingsOf } from "./settings.ts";
export { schema as credentialsSchema } from "./store.ts";
