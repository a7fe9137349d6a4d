import { randomBytes, scrypt as scryptWithCallback, timingSafeEqual } from "node:crypto";
import { readFile, rename } from "node:fs/promises";
import { promisify } from "node:util";
import { writeWhole } from "./write-whole.ts";

const scrypt = promisify<string, Buffer, number, Buffer>(scryptWithCallback);
const hashBytes = 32;

export type Role = "admin" | "user";

/** A user as others see it. */
export interface User {
  id: number;
  username: string;
  role: Role;
}

type StoredUser = User & { salt: string; hash: string };

/** The users of this runtime; what it answers is on disk before it does. */
export interface Users {
  list(): User[];
  /** Adds a user; the first one becomes admin. Undefined when the name is taken. */
  add(username: string, password: string, role: Role): Promise<User | undefined>;
  /** The user with this name and password. */
  check(username: string, password: string): Promise<User | undefined>;
  /** Returns when everything is on disk. */
  flush(): Promise<void>;
}

/** Opens the users in `file`. A file that cannot be read is set aside and `report`ed; then there are no users. */
export async function openUsers(file: string, report: (sentence: string) => void): Promise<Users> {
  const users = await load(file, report);
  // One write at a time, each with all that is known when it begins.
  let written: Promise<void> = Promise.resolve();
  const save = () => {
    written = written.then(() => writeWhole(file, JSON.stringify(users)));
    return written;
  };

  return {
    list: () => users.map(visible),
    async add(username, password, role) {
      const salt = randomBytes(16);
      const hash = await scrypt(password, salt, hashBytes);
      if (users.some((user) => user.username === username)) return undefined;
      const id = 1 + Math.max(0, ...users.map((user) => user.id));
      const user: StoredUser = {
        id,
        username,
        role: users.length === 0 ? "admin" : role,
        salt: salt.toString("hex"),
        hash: hash.toString("hex"),
      };
      users.push(user);
      await save();
      return visible(user);
    },
    async check(username, password) {
      const user = users.find((candidate) => candidate.username === username);
      // An unknown name takes as long as a known one.
      const hash = await scrypt(password, Buffer.from(user?.salt ?? "00", "hex"), hashBytes);
      return user && timingSafeEqual(hash, Buffer.from(user.hash, "hex")) ? visible(user) : undefined;
    },
    flush: () => written,
  };
}

function visible({ id, username, role }: StoredUser): User {
  return { id, username, role };
}

async function load(file: string, report: (sentence: string) => void): Promise<StoredUser[]> {
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return "[]";
    throw cause;
  });
  try {
    const users: unknown = JSON.parse(text);
    if (Array.isArray(users) && users.every(isStoredUser)) return users;
  } catch {
    // Set aside below, like a file with something else in it.
  }
  await rename(file, `${file}.unreadable`);
  report(`${file} could not be read; it was set aside, and there are no users now`);
  return [];
}

function isStoredUser(value: unknown): value is StoredUser {
  const { id, username, role, salt, hash } = (value ?? {}) as Record<keyof StoredUser, unknown>;
  const isRole = role === "admin" || role === "user";
  return Number.isInteger(id) && isRole && [username, salt, hash].every((text) => typeof text === "string");
}
