/** What a line costs that nobody uses, by profile and by transport. */
import { costOfIdle, type IdleOptions } from "../test/fixtures/idle-line.ts";
import { type Figure, figure, type Section } from "./figures.ts";

const beats = 30;

const lines: (IdleOptions & { aim?: string })[] = [
  { profile: "prompt" },
  { profile: "metered", aim: "12 MB" },
  { profile: "metered", transport: "websocket", aim: "12 MB" },
  { profile: "frugal", aim: "1 MB" },
  { profile: "frugal", transport: "websocket", aim: "1 MB" },
];

export async function measure(): Promise<Section> {
  const figures: Figure[] = [];
  for (const { aim = "", ...line } of lines) {
    const { profile, transport = "grpc" } = line;
    const { wireBytes, socketBytes, connectBytes } = await costOfIdle({ ...line, beats });
    const what = `${profile} by ${transport}`;
    figures.push(
      figure(`${what}: a month with TCP and IPv4`, wireBytes.ipv4 / 1e6, "MB", { aim }),
      figure(`${what}: a month with TCP and IPv6`, wireBytes.ipv6 / 1e6, "MB"),
      figure(`${what}: a month at the sockets`, socketBytes / 1e6, "MB"),
      figure(`${what}: one more connection, at the sockets`, connectBytes / 1e3, "kB"),
    );
  }
  return {
    title: "Bytes of an idle line",
    how: `A real line of a node and a hub with a box between that counts, on a clock that runs faster, over ${beats} beats of the node; 30 days by multiplication. TCP and IP: 52 bytes for each segment that the kernel counted, acknowledgements included, as Linux sends them with its time stamps; 72 with IPv6. The hub's own interval is 5 s.`,
    figures,
  };
}
