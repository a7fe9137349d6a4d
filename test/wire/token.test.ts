import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { EnrolmentTokenSchema } from "../../gen/edge/v1/enrolment_pb.ts";
import { Failure } from "../../src/base/failure.ts";
import { readToken, type TokenContent, writeToken } from "../../src/wire/token.ts";
import fc from "../fixtures/properties.ts";

const content: TokenContent = {
  addresses: ["hub.example:7444", "[2001:db8::1]:7444"],
  caSha256: Uint8Array.from(randomBytes(32)),
  id: "tok-1",
  secret: Uint8Array.from(randomBytes(32)),
};
const token = writeToken(content);

function refusal(text: string): string {
  try {
    readToken(text);
  } catch (thrown) {
    assert.ok(thrown instanceof Failure && thrown.kind === "invalid", String(thrown));
    return thrown.message;
  }
  assert.fail("the token was taken");
}

describe("an enrolment token", () => {
  it("says again what was written into it", () => {
    assert.match(token, /^edge1_[A-Za-z0-9_-]+$/);
    assert.deepEqual(plain(readToken(token)), plain(content));
  });

  it("may have been wrapped by a terminal", () => {
    assert.equal(readToken(` ${token.slice(0, 50)}\r\n  ${token.slice(50)}\n`).id, "tok-1");
  });

  it("that is cut off anywhere is refused", () => {
    for (let length = 0; length < token.length; length++) {
      const sentence = refusal(token.slice(0, length));
      assert.match(
        sentence,
        length < 6 ? /is not an enrolment token/ : /cut off or mistyped|is mistyped/,
        `${length}`,
      );
    }
  });

  it("with any one character changed is refused", () => {
    // The last character holds bits that belong to no byte: a change there may change nothing.
    for (let at = 6; at < token.length - 1; at++) {
      const other = token[at] === "A" ? "B" : "A";
      assert.match(refusal(token.slice(0, at) + other + token.slice(at + 1)), /mistyped/, `${at}`);
    }
  });

  it("of another version, of somebody else, or with strange characters is refused by a sentence of its own", () => {
    assert.match(
      refusal(token.replace("edge1_", "edge2_")),
      /is of version 2 and this program reads version 1/,
    );
    assert.match(refusal("SWMTKN-1-abc"), /begins with edge1_/);
    assert.match(refusal(""), /begins with edge1_/);
    assert.match(refusal(`${token}$`), /characters that no token has/);
    assert.match(refusal(`edge1_${"A".repeat(10_000)}`), /far too long/);
  });

  it("that is whole but says too little is refused", () => {
    for (const lack of [
      { addresses: [] },
      { addresses: ["x"] },
      { caSha256: Uint8Array.of(1) },
      { id: "" },
      { secret: new Uint8Array() },
    ]) {
      assert.match(refusal(writeToken({ ...content, ...lack })), /make a new one on the hub/);
    }
  });

  it("is checked as the contract describes it: the first four bytes of the SHA-256 of fields 1 to 4", () => {
    const checksum = createHash("sha256")
      .update(toBinary(EnrolmentTokenSchema, create(EnrolmentTokenSchema, content)))
      .digest();
    const bytes = toBinary(
      EnrolmentTokenSchema,
      create(EnrolmentTokenSchema, { ...content, checksum: checksum.subarray(0, 4) }),
    );
    assert.equal(token, `edge1_${Buffer.from(bytes).toString("base64url")}`);
  });

  it("never appears in the sentence that refuses it, and any text is refused by a sentence", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.base64String().map((body) => `edge1_${body}`),
        ),
        (text) => {
          const sentence = refusal(text);
          assert.ok(text.length < 12 || !sentence.includes(text));
        },
      ),
    );
  });
});

function plain({ addresses, caSha256, id, secret }: TokenContent) {
  return { addresses: [...addresses], id, secret: Buffer.from(secret), caSha256: Buffer.from(caSha256) };
}
