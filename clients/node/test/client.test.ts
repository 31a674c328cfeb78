/** The client asks again when it is told to, never twice where that would do harm, and says what is wrong. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { status as Code } from "@grpc/grpc-js";

import { BadRequest } from "../src/generated/google/rpc/error_details.js";
import { Client, type ClientOptions, PostriderError } from "../src/index.js";
import { CA_FILE, packed, refusal, retryAfter, Service } from "./service.js";

const KEY = "pr_test_key";

async function serve(context: TestContext, service: Service, options: ClientOptions = {}): Promise<Client> {
  await service.start();
  const client = new Client(service.url, KEY, { caFile: CA_FILE, ...options });
  context.after(() => {
    client.close();
    service.stop();
  });
  return client;
}

/** The error that a call rejects with. */
async function refused(call: Promise<unknown>): Promise<PostriderError> {
  const error = await call.then(
    () => assert.fail("the call went well"),
    (error: unknown) => error,
  );
  assert.ok(error instanceof PostriderError, String(error));
  return error;
}

test("a busy service is asked again under one request id", async (context) => {
  const service = new Service(
    refusal(Code.RESOURCE_EXHAUSTED, "QUEUE_FULL", retryAfter(50)),
    refusal(Code.UNAVAILABLE, "COMMIT_UNKNOWN", retryAfter(50)),
    refusal(Code.UNAVAILABLE),
  );
  const client = await serve(context, service);
  const begun = performance.now();
  const sent = await client.sendMail({ reseller: "acme" });
  assert.equal(sent.message?.messageId, "m1");
  assert.ok(performance.now() - begun >= 199, "it came again sooner than it was told");
  assert.equal(service.requestIds.length, 4);
  assert.equal(new Set(service.requestIds).size, 1);
  assert.notEqual(service.requestIds[0], "");
  assert.deepEqual(new Set(service.shown), new Set([`Bearer ${KEY}`]));
});

test("bad input names every field and is not repeated", async (context) => {
  const violations = [
    { field: "email.to[0].address", description: "is no address" },
    { field: "email.subject", description: "has two lines" },
  ];
  const bad = packed("BadRequest", BadRequest.encode(BadRequest.fromPartial({ fieldViolations: violations })).finish());
  const service = new Service(refusal(Code.INVALID_ARGUMENT, "INVALID_REQUEST", bad));
  const client = await serve(context, service);
  const error = await refused(client.sendMail({}));
  assert.deepEqual([error.code, error.reason, error.requestId], [Code.INVALID_ARGUMENT, "INVALID_REQUEST", "r1"]);
  assert.deepEqual(error.violations, violations);
  assert.match(error.message, /email\.subject: has two lines/);
  assert.equal(service.requestIds.length, 1);
});

test("a key that may exist is not made twice", async (context) => {
  const service = new Service(refusal(Code.UNAVAILABLE, "COMMIT_UNKNOWN", retryAfter(1)));
  const client = await serve(context, service);
  const error = await refused(client.createKey({}));
  assert.deepEqual([error.reason, error.metadata["message_id"], service.created], ["COMMIT_UNKNOWN", "m1", 1]);
});

test("a delay beyond the deadline is not waited for", async (context) => {
  const client = await serve(context, new Service(refusal(Code.RESOURCE_EXHAUSTED, "QUEUE_FULL", retryAfter(3_600_000))));
  const error = await refused(client.sendMail({}, { timeout: 20_000 }));
  assert.equal(error.retryDelay, 3_600_000);
});

test("a service that is not there gives no reason of its own", async () => {
  const client = new Client("http://127.0.0.1:1", KEY, { timeout: 300 });
  const error = await refused(client.getMessage({}));
  assert.equal(error.reason, "");
  client.close();
});

test("a signal ends a call with its own reason", async (context) => {
  const client = await serve(context, new Service(refusal(Code.UNAVAILABLE, "OVERLOADED", retryAfter(10_000))));
  await assert.rejects(client.sendMail({}, { signal: AbortSignal.timeout(50) }), { name: "TimeoutError" });
});

test("a broken watch goes on from its last cursor", async (context) => {
  const service = new Service(refusal(Code.UNAVAILABLE, "SHUTTING_DOWN", retryAfter(1)));
  const client = await serve(context, service);
  const seen: (string | undefined)[] = [];
  for await (const event of client.watch({})) {
    seen.push(event.message?.messageId);
    if (seen.length === 2) break;
  }
  assert.deepEqual([seen, service.cursors], [["m1", "m2"], ["", "1"]]);
});

test("a watch that fell silent is taken up again", async (context) => {
  const service = new Service();
  const client = await serve(context, service);
  client.silence = 100;
  for await (const event of client.watch({ cursor: "silent" })) {
    assert.equal(event.message?.messageId, "m3");
    break;
  }
  assert.deepEqual(service.cursors, ["silent", "silent"]);
});

test("a revoked key ends a watch", async (context) => {
  const client = await serve(context, new Service(refusal(Code.UNAUTHENTICATED, "UNAUTHENTICATED")));
  const events = client.watch({});
  assert.equal((await events.next()).value?.message?.messageId, "m1");
  assert.equal((await refused(events.next())).reason, "UNAUTHENTICATED");
});

test("a test of settings tells each step and is asked for again under one request id", async (context) => {
  const service = new Service(refusal(Code.UNAVAILABLE, "COMMIT_UNKNOWN", retryAfter(1)));
  const client = await serve(context, service);
  const seen: (string | undefined)[] = [];
  for await (const { event } of client.watchSettingsTest({})) seen.push(event?.$case);
  assert.deepEqual(seen, ["began", "result"]);
  assert.ok(service.requestIds.length === 2 && service.requestIds[0] && new Set(service.requestIds).size === 1);
});

test("a URL that is none is refused at once", () => {
  for (const url of ["", "127.0.0.1:50051", "ftp://a", "http://a/path"]) assert.throws(() => new Client(url, KEY), TypeError);
});
