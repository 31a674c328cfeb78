/** A small Postrider with TLS that answers each call with the next of its failures, and well when there are none left. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as grpc from "@grpc/grpc-js";

import { ErrorInfo, RequestInfo, RetryInfo } from "../src/generated/google/rpc/error_details.js";
import { Status } from "../src/generated/google/rpc/status.js";
import * as access from "../src/generated/postrider/v1/access_service.js";
import * as mail from "../src/generated/postrider/v1/mail_service.js";
import * as settings from "../src/generated/postrider/v1/settings_service.js";

const tls = (name: string) => fileURLToPath(new URL(`../../../testdata/${name}`, import.meta.url));
export const CA_FILE = tls("ca.pem");

type Detail = { typeUrl: string; value: Uint8Array };

export function retryAfter(milliseconds: number): Detail {
  const retryDelay = { seconds: Math.trunc(milliseconds / 1000), nanos: (milliseconds % 1000) * 1e6 };
  return packed("RetryInfo", RetryInfo.encode({ retryDelay }).finish());
}

export function packed(name: string, value: Uint8Array): Detail {
  return { typeUrl: `type.googleapis.com/google.rpc.${name}`, value };
}

export function refusal(code: grpc.status, reason?: string, ...details: Detail[]): Partial<grpc.ServiceError> {
  const metadata = new grpc.Metadata();
  if (reason) {
    details.push(
      packed("ErrorInfo", ErrorInfo.encode({ reason, domain: "postrider", metadata: { message_id: "m1" } }).finish()),
      packed("RequestInfo", RequestInfo.encode({ requestId: "r1", servingData: "" }).finish()),
    );
    const whole = Status.encode({ code, message: "no", details }).finish();
    metadata.set("grpc-status-details-bin", Buffer.from(whole));
  }
  return { code, details: "no", metadata };
}

export class Service {
  readonly requestIds: string[] = [];
  readonly cursors: string[] = [];
  readonly shown: unknown[] = [];
  created = 0;
  url = "";
  readonly #server = new grpc.Server();
  readonly #failures: (Partial<grpc.ServiceError> | null)[];

  constructor(...failures: (Partial<grpc.ServiceError> | null)[]) {
    this.#failures = failures;
  }

  async start(): Promise<this> {
    this.#server.addService(mail.MailServiceService, {
      sendMail: (call: grpc.ServerUnaryCall<mail.SendMailRequest, mail.SendMailResponse>, answer: grpc.sendUnaryData<unknown>) => {
        this.requestIds.push(call.request.requestId);
        answer(this.#next(call), mail.SendMailResponse.fromPartial({ message: { messageId: "m1" } }));
      },
      watchMessages: (call: grpc.ServerWritableStream<mail.WatchMessagesRequest, mail.WatchMessagesResponse>) => void this.#watch(call),
    } as unknown as grpc.UntypedServiceImplementation);
    this.#server.addService(settings.SettingsServiceService, {
      watchSettingsTest: (call: grpc.ServerWritableStream<settings.WatchSettingsTestRequest, settings.WatchSettingsTestResponse>) =>
        this.#test(call),
    } as unknown as grpc.UntypedServiceImplementation);
    this.#server.addService(access.AccessServiceService, {
      createKey: (call: grpc.ServerUnaryCall<unknown, unknown>, answer: grpc.sendUnaryData<unknown>) => {
        this.created++;
        answer(this.#next(call), access.CreateKeyResponse.fromPartial({}));
      },
    } as unknown as grpc.UntypedServiceImplementation);
    const pair = { private_key: readFileSync(tls("server-key.pem")), cert_chain: readFileSync(tls("server.pem")) };
    const credentials = grpc.ServerCredentials.createSsl(null, [pair]);
    const port = await new Promise<number>((resolve, reject) =>
      this.#server.bindAsync("127.0.0.1:0", credentials, (error, port) => (error ? reject(error) : resolve(port))),
    );
    this.url = `https://127.0.0.1:${port}`;
    return this;
  }

  stop(): void {
    this.#server.forceShutdown();
  }

  /** Says one cursor and one event, then breaks off; at cursor `silent` it says nothing for ever, the first time. */
  async #watch(call: grpc.ServerWritableStream<mail.WatchMessagesRequest, mail.WatchMessagesResponse>): Promise<void> {
    const { cursor } = call.request;
    this.cursors.push(cursor);
    if (cursor === "silent" && this.cursors.length === 1) {
      await once(call, "cancelled");
      return;
    }
    const following = { "": "1", "1": "2", silent: "3" }[cursor] ?? "4";
    call.write(mail.WatchMessagesResponse.fromPartial({ cursor }));
    call.write(mail.WatchMessagesResponse.fromPartial({ cursor: following, message: { messageId: `m${following}` } }));
    const failure = this.#next(call);
    if (failure) call.emit("error", failure);
    else call.end();
  }

  /** One step, and the result; or the next failure. */
  #test(call: grpc.ServerWritableStream<settings.WatchSettingsTestRequest, settings.WatchSettingsTestResponse>): void {
    this.requestIds.push(call.request.requestId);
    const failure = this.#next(call);
    if (failure) {
      call.emit("error", failure);
      return;
    }
    call.write({ event: { $case: "began", value: settings.TestStep.TEST_STEP_SHAPE } });
    call.write({ event: { $case: "result", value: settings.TestSettingsResponse.fromPartial({ passed: true }) } });
    call.end();
  }

  #next(call: { metadata: grpc.Metadata }): Partial<grpc.ServiceError> | null {
    this.shown.push(...call.metadata.get("authorization"));
    return this.#failures.shift() ?? null;
  }
}
