import { chat, input } from "../clients/broker.mjs";

const text = await input();
const asked = [
  { role: "system", content: "Say in one sentence what the text says." },
  { role: "user", content: text },
];
console.log(await chat("small", asked));
