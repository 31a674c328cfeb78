/**
 * The Node.js client of Postrider, which sends each reseller's email from the reseller's own Microsoft 365 mailbox.
 *
 * {@link Client} has every RPC of the API as a method. Around the generated code it shows the access key, gives each call a
 * deadline, makes a `requestId` where you gave none, repeats a call when the service says when to come again, and rejects with
 * {@link PostriderError}.
 */
export { Client, type CallOptions, type ClientOptions } from "./client.js";
export { DEFAULT_URL } from "./connection.js";
export { PostriderError, type Violation } from "./errors.js";
export * from "./generated/postrider/v1/access_service.js";
export * from "./generated/postrider/v1/finding.js";
export * from "./generated/postrider/v1/mail_service.js";
export * from "./generated/postrider/v1/message.js";
export * from "./generated/postrider/v1/settings.js";
export * from "./generated/postrider/v1/settings_service.js";
// Each generated file has these under the same names.
export { type DeepPartial, type MessageFns, protobufFileName, protobufPackage } from "./generated/postrider/v1/mail_service.js";
