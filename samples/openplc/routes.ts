/** The REST interface as a table: who may call what, and what it answers. Status codes and oddities are the real ones. */
import type { Builds } from "./builds.ts";
import type { Plc } from "./plc.ts";
import type { Tokens } from "./tokens.ts";
import type { User, Users } from "./users.ts";

/** The version that this sample plays. */
export const runtimeVersion = "v4.1.0-sample";

/** What a route may use. */
export interface Rooms {
  plc: Plc;
  builds: Builds;
  users: Users;
  tokens: Tokens;
}

/** A request as a route sees it. */
export interface Ask {
  query: URLSearchParams;
  /** The JSON body's fields; empty when there are none. */
  body: Record<string, unknown>;
  /** The part `file` of a multipart body. */
  file: Buffer | undefined;
  /** Whose token came with it; undefined without one. */
  user: User | undefined;
  token: string;
}

export interface Answer {
  code: number;
  body: unknown;
}

export interface Route {
  /** "token": refused without a good one. "optional": a bad one is refused, none is not. */
  needs: "nothing" | "optional" | "token";
  answer(rooms: Rooms, ask: Ask): Answer | Promise<Answer>;
}

const ok = (body: unknown): Answer => ({ code: 200, body });
const refused = (code: number, msg: string): Answer => ({ code, body: { msg } });

/** Every route, by method and path. */
export const routes: Record<string, Route> = {
  "GET /api/version": { needs: "nothing", answer: () => ok({ version: runtimeVersion }) },
  "GET /api/capabilities": {
    needs: "nothing",
    answer: () =>
      ok({
        runtimeVersion,
        minEditorVersion: "4.1.0",
        projectSnapshot: false,
        updatePolicy: "managed",
      }),
  },
  "GET /api/get-users-info": { needs: "optional", answer: usersInfo },
  "POST /api/create-user": { needs: "optional", answer: createUser },
  "POST /api/login": { needs: "nothing", answer: login },
  "POST /api/logout": {
    needs: "token",
    answer({ tokens }, { token }) {
      tokens.revoke(token);
      return ok({ msg: "User logged out successfully" });
    },
  },
  "GET /api/whoami": { needs: "token", answer: (_, { user }) => ok(user) },
  "GET /api/start-plc": { needs: "token", answer: ({ plc }) => ok({ status: plc.start() }) },
  "GET /api/stop-plc": { needs: "token", answer: ({ plc }) => ok({ status: plc.stop() }) },
  "GET /api/status": {
    needs: "token",
    answer: ({ plc }, { query }) =>
      ok({
        status: plc.status(),
        ...(query.get("include_stats") === "true" && { timing_stats: plc.timingStats() }),
      }),
  },
  "GET /api/ping": { needs: "token", answer: () => ok({ status: "PING:OK" }) },
  "GET /api/runtime-logs": {
    needs: "token",
    answer: ({ plc }, { query }) =>
      ok({ "runtime-logs": plc.logs(Number(query.get("id")) || 0, query.get("level") ?? undefined) }),
  },
  "GET /api/compilation-status": {
    needs: "token",
    answer: ({ builds }) => ok(builds.state()),
  },
  "POST /api/upload-file": { needs: "token", answer: uploadFile },
};

/** What the real runtime says to a path below /api that it does not know: 200, and an error in the text. */
export const unknownRoutes: Record<string, Route> = {
  GET: { needs: "token", answer: () => ok({ error: "Unknown argument" }) },
  POST: { needs: "token", answer: () => ok({ PostRequestError: "Unknown argument" }) },
};

function usersInfo({ users }: Rooms, { user }: Ask): Answer {
  if (users.list().length === 0) return refused(404, "No users found");
  return user ? ok(users.list()) : ok({ msg: "Users found" });
}

async function createUser({ users }: Rooms, { user, body }: Ask): Promise<Answer> {
  const isFirst = users.list().length === 0;
  if (!isFirst && user === undefined) return refused(401, "User already created!");
  if (!isFirst && user?.role !== "admin") return refused(403, "Only an admin may create users");
  const { username, password, role } = body;
  if (typeof username !== "string" || typeof password !== "string" || username === "" || password === "") {
    return refused(400, "Missing username or password");
  }
  const added = await users.add(username, password, role === "admin" ? "admin" : "user");
  if (added === undefined) return refused(409, "Username already exists");
  return { code: 201, body: { msg: "User created", id: added.id, role: added.role } };
}

/** Always 200: what went wrong stands in the text. */
function uploadFile({ builds }: Rooms, { file }: Ask): Answer {
  const UploadFileFail = file === undefined ? "No file part in the request" : builds.begin(file);
  return ok({ UploadFileFail, CompilationStatus: builds.state().status });
}

async function login({ users, tokens }: Rooms, { body: { username, password } }: Ask): Promise<Answer> {
  const areTexts = typeof username === "string" && typeof password === "string";
  const user = areTexts ? await users.check(username, password) : undefined;
  // A bare JSON string, not an object: so does the real one.
  if (user === undefined) return { code: 401, body: "Wrong username or password" };
  return ok({ access_token: tokens.issue(user.id) });
}
