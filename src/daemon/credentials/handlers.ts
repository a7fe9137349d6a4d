import { create } from "@bufbuild/protobuf";
import {
  GetSealingKeyResponseSchema,
  ListCredentialsResponseSchema,
  RemoveCredentialResponseSchema,
  RotateVaultKeyResponseSchema,
  SetCredentialResponseSchema,
} from "../../../gen/edge/v1/credentials_pb.ts";
import type { Handler } from "../work/index.ts";
import type { Credentials } from "./credentials.ts";

interface Rooms {
  credentials: Credentials;
}

/** What each promises is said at the methods of `edge.v1.Credentials`. */
export const getSealingKey: Handler<Rooms, "getSealingKey"> = async ({ credentials }) =>
  create(GetSealingKeyResponseSchema, await credentials.sealingKey());

export const setCredential: Handler<Rooms, "setCredential"> = async ({ credentials }, request, ask) =>
  create(SetCredentialResponseSchema, { credential: await credentials.set(request, ask) });

export const listCredentials: Handler<Rooms, "listCredentials"> = async ({ credentials }) =>
  create(ListCredentialsResponseSchema, { credentials: await credentials.list() });

export const removeCredential: Handler<Rooms, "removeCredential"> = async (
  { credentials },
  { name, force },
  ask,
) => {
  await credentials.remove(name, force, ask);
  return create(RemoveCredentialResponseSchema);
};

export const rotateVaultKey: Handler<Rooms, "rotateVaultKey"> = async ({ credentials }, _, ask) =>
  create(RotateVaultKeyResponseSchema, { credentials: await credentials.rotateKey(ask) });
