/** The broker and the gateway of the node, from a program in Node.js: no package is needed. */
import { request } from "node:http";

const socketPath = process.env.ORCHESTRATOR_BROKER;

/** Asks the broker, as in `ask("Broker", "GetSelf")` or `ask("Memory", "SearchMemory", { text: "Ada" })`. */
export async function ask(service, method, body = {}) {
  return JSON.parse(await post(`http://broker/edge.v1.${service}/${method}`, body));
}

/** Asks a language model by its alias. Returns what it says. */
export async function chat(model, messages) {
  const answer = JSON.parse(await post("http://gateway/llm/v1/chat/completions", { model, messages }));
  return answer.choices[0].message.content;
}

/** Messages of topics as they are published, as in `for await (const { message } of subscribe({ topics: ["plant.>"] }))`. */
export const subscribe = (filter, more = {}) => stream("Subscribe", { filter, ...more });

/** What a method of the broker answers again and again, as in `for await (const call of stream("TakeCalls"))`. */
export async function* stream(method, body = {}) {
  const type = { "content-type": "application/connect+json" };
  const asked = framed(Buffer.from(JSON.stringify(body)));
  const answer = await send(`http://broker/edge.v1.Broker/${method}`, type, asked);
  let bytes = Buffer.alloc(0);
  for await (const chunk of answer) {
    bytes = Buffer.concat([bytes, chunk]);
    while (bytes.length >= 5 && bytes.length >= 5 + bytes.readUInt32BE(1)) {
      const end = 5 + bytes.readUInt32BE(1);
      const value = JSON.parse(bytes.subarray(5, end));
      if (bytes[0] !== 2) yield value;
      else if (value.error) throw new Error(`${value.error.code}: ${value.error.message}`);
      bytes = bytes.subarray(end);
    }
  }
}

/** Bytes travel as base64 in JSON. */
export const toBytes = (text) => Buffer.from(text).toString("base64");
export const fromBytes = (text = "") => Buffer.from(text, "base64").toString();

/** All of standard input. */
export async function input() {
  let text = "";
  for await (const chunk of process.stdin.setEncoding("utf8")) text += chunk;
  return text;
}

async function post(url, body) {
  const answer = await send(url, { "content-type": "application/json" }, JSON.stringify(body));
  let text = "";
  for await (const chunk of answer.setEncoding("utf8")) text += chunk;
  if (answer.statusCode === 200) return text;
  const { code, message, error } = JSON.parse(text);
  throw new Error(error ? error.message : `${code}: ${message}`);
}

function send(url, headers, body) {
  return new Promise((resolve, reject) => {
    const { host, pathname } = new URL(url);
    const options = { socketPath, method: "POST", path: pathname, headers: { host, ...headers } };
    request(options, resolve).on("error", reject).end(body);
  });
}

/** A message of a stream: a byte of flags, its length, itself. */
function framed(bytes) {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}
