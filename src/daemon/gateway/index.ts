/**
 * The gateway: how agents reach services with secrets that they never see. It adds the secret to requests for the very upstream that
 * an agent's manifest names, and to nothing else, and cuts it out of what comes back. Language models are one use of it: agents speak
 * to all of them as to OpenAI, by aliases, within budgets, and what they use is counted.
 */

export { Gateway } from "./gateway.ts";
export { getLlmUsage, listModels } from "./handlers.ts";
export { llmSettings } from "./llm-settings.ts";
export { schema as gatewaySchema } from "./llm-usage.ts";
