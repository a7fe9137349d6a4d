import { ownName } from "../namespaces/own-network.ts"; // First: the rest of this file runs within it.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { after, afterEach, test } from "node:test";
import { findOwners, Netns, type Owner } from "../../../src/netmon/namespaces/index.ts";
import { giveBackNic, type RecordedNic, recordNic, returnNic, takeNic } from "../../../src/netmon/parents/index.ts";
import { openLan } from "../../fixtures/lan.ts";
import { ownNetwork } from "../../fixtures/network.ts";
import { until } from "../../journeys/until.ts";

const { signal } = new AbortController();
const sh = (line: string) => execFileSync("sh", ["-c", line], { encoding: "utf8" });
const now = 1_000_000;
