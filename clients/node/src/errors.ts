/** What a failed call rejects with: the service's reason, its message, and all violated fields. */
import { type ServiceError, status as Code } from "@grpc/grpc-js";

import { BadRequest, ErrorInfo, RequestInfo, RetryInfo } from "./generated/google/rpc/error_details.js";
import { Status } from "./generated/google/rpc/status.js";

/** One field that is wrong, by its path from the request: `email.to[1].address`. */
export interface Violation {
  field: string;
  description: string;
}

/** A call that failed. */
export class PostriderError extends Error {
  override readonly name = "PostriderError";
  /** gRPC's code, one of `status` of `@grpc/grpc-js`. */
  readonly code: Code;
  /**
   * The service's own name for what is wrong, such as `INVALID_REQUEST` or `QUEUE_FULL`. Empty where the answer did not come from
   * the service, but from the network before it.
   */
  readonly reason: string = "";
  /** All fields that are wrong, where the reason is `INVALID_REQUEST`. */
  readonly violations: readonly Violation[] = [];
  /** What the reason comes with, such as `limit_bytes` or `message_id`. */
  readonly metadata: Readonly<Record<string, string>> = {};
  /** Names the call in the service's log. */
  readonly requestId: string = "";
  /** Milliseconds to wait before the call is made again; undefined where the service did not say. */
  readonly retryDelay: number | undefined;
  /** The whole status, with details that have no property here. */
  readonly status: Status;

  constructor(error: ServiceError) {
    super(error.details, { cause: error });
    this.code = error.code;
    const [whole] = error.metadata?.get("grpc-status-details-bin") ?? [];
    this.status = whole instanceof Buffer ? Status.decode(whole) : Status.fromPartial({});
    for (const { typeUrl, value } of this.status.details) {
      switch (typeUrl.slice(typeUrl.lastIndexOf("/") + 1)) {
        case "google.rpc.ErrorInfo":
          ({ reason: this.reason, metadata: this.metadata } = ErrorInfo.decode(value));
          break;
        case "google.rpc.RequestInfo":
          this.requestId = RequestInfo.decode(value).requestId;
          break;
        case "google.rpc.RetryInfo": {
          const { seconds = 0, nanos = 0 } = RetryInfo.decode(value).retryDelay ?? {};
          this.retryDelay = seconds * 1000 + nanos / 1e6;
          break;
        }
        case "google.rpc.BadRequest":
          this.violations = BadRequest.decode(value).fieldViolations.map(({ field, description }) => ({ field, description }));
      }
    }
    const fields = this.violations.map(({ field, description }) => `; ${field}: ${description}`).join("");
    const request = this.requestId && ` (request ${this.requestId})`;
    this.message = `${this.reason || Code[this.code]}: ${error.details}${fields}${request}`;
  }
}
