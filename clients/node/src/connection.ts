/** Where the service is, and with which transport it is called. */
import { readFileSync } from "node:fs";
import { type ChannelCredentials, type ChannelOptions, credentials } from "@grpc/grpc-js";

/** Where a service on this machine listens. */
export const DEFAULT_URL = "http://127.0.0.1:50051";

export const CHANNEL_OPTIONS: ChannelOptions = {
  // A page of 1,000 messages with their attempts.
  "grpc.max_receive_message_length": 64 << 20,
  // Of several replicas behind one name each is used, and one that leaves is not missed.
  "grpc.service_config": JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
  // gRPC's own gap grows to two minutes, and a service that is back would long be waited for.
  "grpc.max_reconnect_backoff_ms": 5000,
};

export function dialling(url: string, caFile: string | undefined): [address: string, ChannelCredentials] {
  if (!URL.canParse(url)) throw new TypeError(`${JSON.stringify(url)} is no URL such as ${DEFAULT_URL}`);
  const { protocol, hostname, port, pathname } = new URL(url);
  if (protocol !== "http:" && protocol !== "https:") {
    throw new TypeError(`${JSON.stringify(url)} begins with neither http:// nor https://`);
  }
  if (pathname !== "/") throw new TypeError(`${JSON.stringify(url)} is no URL such as ${DEFAULT_URL}`);
  if (protocol === "https:") {
    return [`${hostname}:${port || 443}`, credentials.createSsl(caFile === undefined ? null : readFileSync(caFile))];
  }
  if (caFile !== undefined) throw new TypeError("a CA file is for an https URL");
  return [`${hostname}:${port || 80}`, credentials.createInsecure()];
}
