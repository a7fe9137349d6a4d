import Docker from "dockerode";

const pingMs = 3000;

/** An engine by `unix:///path/of/a/socket` or `tcp://host:port`. */
export function engineAt(host: string, timeoutMs = 0): Docker {
  if (host.startsWith("unix://"))
    return new Docker({ socketPath: host.slice("unix://".length), timeout: timeoutMs });
  const { hostname, port } = new URL(host);
  return new Docker({ host: hostname, port: Number(port || 2375), protocol: "http", timeout: timeoutMs });
}

/** Why an engine does not answer, in a word; undefined when it does. */
export async function whyNoAnswer(host: string): Promise<string | undefined> {
  try {
    await engineAt(host, pingMs).ping();
    return undefined;
  } catch (thrown) {
    if (!(thrown instanceof Error)) return String(thrown);
    return "code" in thrown ? String(thrown.code) : thrown.message;
  }
}
