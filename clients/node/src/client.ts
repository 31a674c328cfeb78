/** The client: every RPC of the API as a method, and a watch that goes on by itself. */
import * as grpc from "@grpc/grpc-js";

import { CHANNEL_OPTIONS, DEFAULT_URL, dialling } from "./connection.js";
import { PostriderError } from "./errors.js";
import * as access from "./generated/postrider/v1/access_service.js";
import * as mail from "./generated/postrider/v1/mail_service.js";
import * as settings from "./generated/postrider/v1/settings_service.js";
import { delayBeforeRepeat, delayBeforeResume, pause, withRequestId } from "./retry.js";

/** How a client connects and calls. */
export interface ClientOptions {
  /** PEM file of the only certificate authorities to trust, in place of the system's. It is for an https URL. */
  caFile?: string;
  /** Milliseconds that a call may last, repeats and waits included. Default: 30,000. */
  timeout?: number;
}

/** What one call may have otherwise than the client. */
export interface CallOptions {
  /** Milliseconds that it may last, repeats and waits included. */
  timeout?: number;
  /** Ends the call; it then rejects with the signal's reason. */
  signal?: AbortSignal;
}

type Method<Request, Response> = grpc.MethodDefinition<Request, Response>;

const TIMEOUT = 30_000;
/** The service says something at least every 15 seconds. Three times that without a word is a stream that died unseen. */
const WATCH_SILENCE = 45_000;

/** Calls one Postrider service. Make one and keep it. */
export class Client {
  readonly #grpc: grpc.Client;
  readonly #metadata = new grpc.Metadata();
  readonly #timeout: number;
  /** @internal */
  silence = WATCH_SILENCE;

  /**
   * For a URL such as `https://postrider.example:50051`; it connects with the first call.
   *
   * With `http` the key and all mail cross the network as they are: that is for this machine, or behind a proxy with TLS.
   */
  constructor(url: string, key: string, options: ClientOptions = {}) {
    const [address, credentials] = dialling(url, options.caFile);
    this.#grpc = new grpc.Client(address, credentials, CHANNEL_OPTIONS);
    this.#metadata.set("authorization", `Bearer ${key.trim()}`);
    this.#timeout = options.timeout ?? TIMEOUT;
  }

  /** For the service at `POSTRIDER_URL` (default: on this machine) with the key in `POSTRIDER_KEY`. */
  static fromEnv(options: ClientOptions = {}): Client {
    const { POSTRIDER_URL: url, POSTRIDER_KEY: key } = process.env;
    if (!key) throw new Error("no access key: set POSTRIDER_KEY; `postrider keys create` makes one");
    return new Client(url || DEFAULT_URL, key, options);
  }

  /** Ends the connection. */
  close(): void {
    this.#grpc.close();
  }

  /** Accepts one email and answers once it is on disk, or with `WAIT_FOR_SENT` once it came to something. */
  async sendMail(request: mail.DeepPartial<mail.SendMailRequest>, options: CallOptions = {}): Promise<mail.SendMailResponse> {
    return this.#call(mail.MailServiceService.sendMail, withRequestId(mail.SendMailRequest.fromPartial(request)), options);
  }

  /** Accepts up to 1,000 emails of one reseller, together at most 64 MiB. The results stand in the order of the requests. */
  async batchSendMail(request: mail.DeepPartial<mail.BatchSendMailRequest>, options: CallOptions = {}): Promise<mail.BatchSendMailResponse> {
    const whole = mail.BatchSendMailRequest.fromPartial(request);
    return this.#call(mail.MailServiceService.batchSendMail, { ...whole, requests: whole.requests.map(withRequestId) }, options);
  }

  /** Tells where one message is, with every attempt. It needs no settings. */
  async getMessage(request: mail.DeepPartial<mail.GetMessageRequest>, options: CallOptions = {}): Promise<mail.GetMessageResponse> {
    return this.#call(mail.MailServiceService.getMessage, mail.GetMessageRequest.fromPartial(request), options);
  }

  /** Lists a reseller's messages, the newest first. */
  async listMessages(request: mail.DeepPartial<mail.ListMessagesRequest>, options: CallOptions = {}): Promise<mail.ListMessagesResponse> {
    return this.#call(mail.MailServiceService.listMessages, mail.ListMessagesRequest.fromPartial(request), options);
  }

  /** Stops a message that has not been sent, and destroys its content. */
  async cancelMessage(request: mail.DeepPartial<mail.CancelMessageRequest>, options: CallOptions = {}): Promise<mail.CancelMessageResponse> {
    return this.#call(mail.MailServiceService.cancelMessage, mail.CancelMessageRequest.fromPartial(request), options);
  }

  /** Sends a message again under the same ids, with a fresh expiry. */
  async retryMessage(request: mail.DeepPartial<mail.RetryMessageRequest>, options: CallOptions = {}): Promise<mail.RetryMessageResponse> {
    return this.#call(mail.MailServiceService.retryMessage, mail.RetryMessageRequest.fromPartial(request), options);
  }

  /**
   * Does retryMessage for all of a reseller's messages that match, skips those that cannot be retried, and counts the
   * rest.
   */
  async retryMessages(request: mail.DeepPartial<mail.RetryMessagesRequest>, options: CallOptions = {}): Promise<mail.RetryMessagesResponse> {
    return this.#call(mail.MailServiceService.retryMessages, mail.RetryMessagesRequest.fromPartial(request), options);
  }

  /** Saves a reseller's settings. It replaces all but the credential, which stays when left out; the first put needs one. */
  async putSettings(request: settings.DeepPartial<settings.PutSettingsRequest>, options: CallOptions = {}): Promise<settings.PutSettingsResponse> {
    return this.#call(settings.SettingsServiceService.putSettings, settings.PutSettingsRequest.fromPartial(request), options);
  }

  /** Gives a reseller's settings, without the secret. */
  async getSettings(request: settings.DeepPartial<settings.GetSettingsRequest>, options: CallOptions = {}): Promise<settings.GetSettingsResponse> {
    return this.#call(settings.SettingsServiceService.getSettings, settings.GetSettingsRequest.fromPartial(request), options);
  }

  /** Lists the settings of all resellers that the caller may see, by reseller. */
  async listSettings(request: settings.DeepPartial<settings.ListSettingsRequest>, options: CallOptions = {}): Promise<settings.ListSettingsResponse> {
    return this.#call(settings.SettingsServiceService.listSettings, settings.ListSettingsRequest.fromPartial(request), options);
  }

  /** Destroys a reseller's settings, credential and data key. The history of its messages stays, without content. */
  async deleteSettings(request: settings.DeepPartial<settings.DeleteSettingsRequest>, options: CallOptions = {}): Promise<settings.DeleteSettingsResponse> {
    return this.#call(settings.SettingsServiceService.deleteSettings, settings.DeleteSettingsRequest.fromPartial(request), options);
  }

  /**
   * Tries settings in five steps, at most up to a test mail, and says of each what was found. A failed test is an answer,
   * not an error.
   */
  async testSettings(request: settings.DeepPartial<settings.TestSettingsRequest>, options: CallOptions = {}): Promise<settings.TestSettingsResponse> {
    return this.#call(settings.SettingsServiceService.testSettings, withRequestId(settings.TestSettingsRequest.fromPartial(request)), options);
  }

  /** Stops a reseller's mail until resumeSending. Mail is still accepted and waits; attempts under way end by themselves. */
  async pauseSending(request: settings.DeepPartial<settings.PauseSendingRequest>, options: CallOptions = {}): Promise<settings.PauseSendingResponse> {
    return this.#call(settings.SettingsServiceService.pauseSending, settings.PauseSendingRequest.fromPartial(request), options);
  }

  /** Ends an operator's pause, and wakes a lane that its settings hold. Nothing else ends an operator's pause. */
  async resumeSending(request: settings.DeepPartial<settings.ResumeSendingRequest>, options: CallOptions = {}): Promise<settings.ResumeSendingResponse> {
    return this.#call(settings.SettingsServiceService.resumeSending, settings.ResumeSendingRequest.fromPartial(request), options);
  }

  /** Makes a key. Its secret is in the reply and nowhere else: only a keyed hash is kept. */
  async createKey(request: access.DeepPartial<access.CreateKeyRequest>, options: CallOptions = {}): Promise<access.CreateKeyResponse> {
    return this.#call(access.AccessServiceService.createKey, access.CreateKeyRequest.fromPartial(request), options);
  }

  /** Lists the keys that the caller may see, revoked and expired ones too. Without their secrets. */
  async listKeys(request: access.DeepPartial<access.ListKeysRequest>, options: CallOptions = {}): Promise<access.ListKeysResponse> {
    return this.#call(access.AccessServiceService.listKeys, access.ListKeysRequest.fromPartial(request), options);
  }

  /** Ends a key for good, at once; its open streams end too. On a revoked key it is OK again. */
  async revokeKey(request: access.DeepPartial<access.RevokeKeyRequest>, options: CallOptions = {}): Promise<access.RevokeKeyResponse> {
    return this.#call(access.AccessServiceService.revokeKey, access.RevokeKeyRequest.fromPartial(request), options);
  }

  /** Lists what callers changed, the newest first. */
  async listAuditEvents(request: access.DeepPartial<access.ListAuditEventsRequest>, options: CallOptions = {}): Promise<access.ListAuditEventsResponse> {
    return this.#call(access.AccessServiceService.listAuditEvents, access.ListAuditEventsRequest.fromPartial(request), options);
  }

  /**
   * Each change of a message, without gaps: when the stream breaks it goes on by itself from the last cursor.
   *
   * It throws what does not pass, such as a revoked key or `CURSOR_EXPIRED`. To go on after a restart of your own program, keep
   * the cursor of the last response and give it in the request.
   */
  async *watch(
    request: mail.DeepPartial<mail.WatchMessagesRequest>,
    { signal }: Pick<CallOptions, "signal"> = {},
  ): AsyncGenerator<mail.WatchMessagesResponse, void, undefined> {
    const resumed = mail.WatchMessagesRequest.fromPartial(request);
    for (let attempt = 0; ; attempt++) {
      signal?.throwIfAborted();
      let error: PostriderError | undefined;
      const { path, requestSerialize, responseDeserialize } = mail.MailServiceService.watchMessages;
      const call = this.#grpc.makeServerStreamRequest(path, requestSerialize, responseDeserialize, resumed, this.#metadata);
      const cancel = () => call.cancel();
      signal?.addEventListener("abort", cancel);
      let silent = setTimeout(cancel, this.silence);
      try {
        for await (const response of call as AsyncIterable<mail.WatchMessagesResponse>) {
          clearTimeout(silent);
          attempt = 0;
          resumed.cursor = response.cursor;
          if (response.message) yield response;
          silent = setTimeout(cancel, this.silence);
        }
      } catch (thrown) {
        error = known(thrown);
      } finally {
        clearTimeout(silent);
        signal?.removeEventListener("abort", cancel);
        call.cancel();
      }
      signal?.throwIfAborted();
      const delay = delayBeforeResume(error, attempt);
      if (delay === undefined) throw error;
      await pause(delay, signal);
    }
  }

  /**
   * Does testSettings and tells of each step as it begins and ends; the last response has the `result`. For people who wait for it.
   * The test goes on to its end also when you break off.
   */
  async *watchSettingsTest(
    request: settings.DeepPartial<settings.WatchSettingsTestRequest>,
    options: CallOptions = {},
  ): AsyncGenerator<settings.WatchSettingsTestResponse, void, undefined> {
    const { signal } = options;
    const deadline = Date.now() + (options.timeout ?? this.#timeout);
    const identified = withRequestId(settings.WatchSettingsTestRequest.fromPartial(request));
    const { path, requestSerialize, responseDeserialize } = settings.SettingsServiceService.watchSettingsTest;
    for (let attempt = 0; ; attempt++) {
      signal?.throwIfAborted();
      let begun = false;
      let error: PostriderError;
      const call = this.#grpc.makeServerStreamRequest(path, requestSerialize, responseDeserialize, identified, this.#metadata, { deadline });
      const cancel = () => call.cancel();
      signal?.addEventListener("abort", cancel);
      try {
        for await (const response of call as AsyncIterable<settings.WatchSettingsTestResponse>) {
          begun = true;
          yield response;
        }
        return;
      } catch (thrown) {
        error = known(thrown);
      } finally {
        signal?.removeEventListener("abort", cancel);
        call.cancel();
      }
      signal?.throwIfAborted();
      const delay = delayBeforeRepeat("WatchSettingsTest", error, attempt);
      if (begun || delay === undefined || Date.now() + delay >= deadline) throw error;
      await pause(delay, signal);
    }
  }

  async #call<Request, Response>(method: Method<Request, Response>, request: Request, options: CallOptions): Promise<Response> {
    const deadline = Date.now() + (options.timeout ?? this.#timeout);
    const rpc = method.path.slice(method.path.lastIndexOf("/") + 1);
    for (let attempt = 0; ; attempt++) {
      options.signal?.throwIfAborted();
      try {
        return await this.#once(method, request, deadline, options.signal);
      } catch (thrown) {
        options.signal?.throwIfAborted();
        const error = known(thrown);
        const delay = delayBeforeRepeat(rpc, error, attempt);
        if (delay === undefined || Date.now() + delay >= deadline) throw error;
        await pause(delay, options.signal);
      }
    }
  }

  #once<Request, Response>(
    { path, requestSerialize, responseDeserialize }: Method<Request, Response>,
    request: Request,
    deadline: number,
    signal: AbortSignal | undefined,
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      const cancel = () => call.cancel();
      const answer: grpc.requestCallback<Response> = (error, response) => {
        signal?.removeEventListener("abort", cancel);
        if (error) reject(error);
        else resolve(response as Response);
      };
      const options = { deadline };
      const call = this.#grpc.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, this.#metadata, options, answer);
      signal?.addEventListener("abort", cancel);
    });
  }
}

/** Errors of the transport become ours; anything else is a mistake in code and stays what it is. */
function known(thrown: unknown): PostriderError {
  if (thrown instanceof Error && "code" in thrown && "details" in thrown) return new PostriderError(thrown as grpc.ServiceError);
  throw thrown;
}
