import { randomUUID } from "node:crypto";
import { asBody, asList, type Body } from "./llm-api.ts";

/** A message of OpenAI's form in Ollama's: texts in one, images beside them, arguments of calls as values. */
export function messageToOllama(message: unknown): Body {
  const { role, content, tool_calls: calls, name } = asBody(message);
  const parts = asList(content).map(asBody);
  const text = typeof content === "string" ? content : parts.map((one) => one.text ?? "").join("");
  const images = parts.flatMap((one) => {
    const { url } = asBody(one.image_url);
    const [, base64] = typeof url === "string" ? (/^data:[^,]*;base64,(.*)$/s.exec(url) ?? []) : [];
    return base64 === undefined ? [] : [base64];
  });
  return {
    ...{ role: role === "developer" ? "system" : role, content: text },
    ...(images.length > 0 && { images }),
    ...(role === "tool" && typeof name === "string" && { tool_name: name }),
    ...(calls !== undefined && { tool_calls: asList(calls).map(callToOllama) }),
  };
}

/** And back. */
export function messageFromOllama(message: unknown): Body {
  const { content, thinking, tool_calls: calls } = asBody(message);
  return {
    ...{ role: "assistant", content: content ?? "" },
    ...(typeof thinking === "string" && thinking !== "" && { reasoning_content: thinking }),
    ...(calls !== undefined && { tool_calls: asList(calls).map(callFromOllama) }),
  };
}

function callToOllama(call: unknown): Body {
  const { name, arguments: given } = asBody(asBody(call).function);
  return { function: { name, arguments: typeof given === "string" ? argumentsOf(given) : given } };
}

function argumentsOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return {}; // What a model wrote once need not be JSON.
  }
}

function callFromOllama(call: unknown, index: number): Body {
  const { name, arguments: given } = asBody(asBody(call).function);
  const text = JSON.stringify(given ?? {});
  return { index, id: `call_${randomUUID()}`, type: "function", function: { name, arguments: text } };
}

/** How a model is to write, by Ollama's names. */
export function optionsToOllama(body: Body): Body {
  const { temperature, top_p, seed, stop, frequency_penalty, presence_penalty } = body;
  const num_predict = body.max_completion_tokens ?? body.max_tokens;
  const all = { temperature, top_p, seed, stop, frequency_penalty, presence_penalty, num_predict };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined && value !== null));
}
