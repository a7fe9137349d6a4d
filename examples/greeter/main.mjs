import { ask, input } from "../clients/broker.mjs";

const name = (await input()).trim() || "stranger";
const attributes = [{ key: "name", value: name }];
const { entries = [] } = await ask("Memory", "SearchMemory", { attributes, limit: 100 });
await ask("Memory", "StoreMemory", { text: `I greeted ${name}.`, attributes });
const times = entries.length === 0 ? "Nice to meet you." : `We have met ${entries.length} times.`;
console.log(`Hello ${name}! ${times}`);
