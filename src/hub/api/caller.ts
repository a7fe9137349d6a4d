import {
  type ContextValues,
  createContextKey,
  createContextValues,
  type HandlerContext,
} from "@connectrpc/connect";
import type { Caller } from "../operators/index.ts";

const callerKey = createContextKey<Caller | undefined>(undefined, { description: "the operator who calls" });
const addressKey = createContextKey("", { description: "where the call comes from" });

/** What is known of a call before anybody looked at its token. */
export function fromAddress(address: string | undefined): ContextValues {
  return createContextValues().set(addressKey, address ?? "unknown");
}

/** The IP address that a call comes from. */
export function addressOf({ values }: HandlerContext): string {
  return values.get(addressKey);
}

/** Notes who calls. */
export function setCaller({ values }: HandlerContext, caller: Caller): void {
  values.set(callerKey, caller);
}

/** Who calls. Only methods that need a role have a caller. */
export function callerOf({ values, method }: HandlerContext): Caller {
  const caller = values.get(callerKey);
  if (!caller) throw new Error(`${method.name} asks for a caller and needs no role`);
  return caller;
}

/** Who calls, where anybody does. */
export function callerIn(values: ContextValues): Caller | undefined {
  return values.get(callerKey);
}

/** The tenant that the caller is bound to; undefined when it may see the whole hub. */
export function tenantOf(context: HandlerContext): string | undefined {
  return callerOf(context).tenant || undefined;
}

/** The caller as a command's actor. */
export function actorOf(context: HandlerContext): string {
  return `operator/${callerOf(context).name}`;
}

/** A signal that is aborted with `signal`, and when the caller's token is revoked or expires. */
export function whileAllowed(values: ContextValues, signal: AbortSignal): AbortSignal {
  const caller = values.get(callerKey);
  return caller ? AbortSignal.any([signal, caller.signal]) : signal;
}
