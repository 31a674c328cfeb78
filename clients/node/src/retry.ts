/** When a call is made again, and how it can be. */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { status as Code } from "@grpc/grpc-js";

import type { PostriderError } from "./errors.js";

const BACKOFF_FIRST = 100;
const BACKOFF_MOST = 5000;

/**
 * RPCs that must not be made twice when it is not known whether the first one was carried out. All others only read, come to the
 * same when repeated, or carry a `requestId`.
 */
const NOT_REPEATABLE = new Set(["CreateKey", "PutSettings", "DeleteSettings", "RetryMessage", "RetryMessages"]);

/** How a stream ends that was cut: by the network, by a proxy, or by our own impatience with its silence. */
const CUT = new Set([Code.INTERNAL, Code.UNKNOWN, Code.CANCELLED]);

/** Milliseconds to wait before the call is made again. Undefined: it must not be. */
export function delayBeforeRepeat(rpc: string, error: PostriderError, attempt: number): number | undefined {
  const unknown = error.reason === "" || error.reason === "COMMIT_UNKNOWN";
  if (unknown && NOT_REPEATABLE.has(rpc)) return undefined;
  if (error.retryDelay !== undefined) return jittered(error.retryDelay);
  if (error.reason === "" && error.code === Code.UNAVAILABLE) return growing(attempt);
  return undefined;
}

/** The same for a broken watch; without an error where the stream just ended. */
export function delayBeforeResume(error: PostriderError | undefined, attempt: number): number | undefined {
  if (error === undefined || (error.reason === "" && CUT.has(error.code))) return growing(attempt);
  return delayBeforeRepeat("WatchMessages", error, attempt);
}

/** The request with an id that makes it safe to repeat. */
export function withRequestId<Request extends { requestId: string }>(request: Request): Request {
  return request.requestId ? request : { ...request, requestId: randomUUID() };
}

/** Waits, or rejects at once with the signal's reason. */
export async function pause(delay: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(delay, undefined, { signal }).catch(() => undefined);
  signal?.throwIfAborted();
}

function growing(attempt: number): number {
  return jittered(Math.min(BACKOFF_FIRST * 2 ** Math.min(attempt, 10), BACKOFF_MOST));
}

/** Never shorter, for the service's word is a least, and up to a fifth longer: callers do not come all at once. */
function jittered(delay: number): number {
  return delay * (1 + Math.random() / 5);
}
