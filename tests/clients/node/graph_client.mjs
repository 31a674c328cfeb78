// MSAL for Node and Microsoft's Graph client for JavaScript against the sandbox: tokens by a secret and by a
// certificate, a mail, and a draft with a file that goes by an upload session.
//
// Reads its settings as JSON from standard input; writes what it got as JSON. NODE_EXTRA_CA_CERTS says whom to trust.

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const given = JSON.parse(readFileSync(0, "utf8"));
// The packages lie where the tools are, not beside this file.
const from = createRequire(pathToFileURL(`${given.packages}/package.json`));
const { ConfidentialClientApplication } = from("@azure/msal-node");
const { Client, FileUpload, LargeFileUploadTask } = from("@microsoft/microsoft-graph-client");

const host = new URL(given.origin).host;

async function tokenBy(proof) {
  const app = new ConfidentialClientApplication({
    auth: {
      clientId: given.client_id,
      authority: `${given.origin}/${given.tenant_id}`,
      knownAuthorities: [host],
      ...proof,
    },
  });
  const answer = await app.acquireTokenByClientCredential({ scopes: ["https://graph.microsoft.com/.default"] });
  return answer.accessToken;
}

const certificate = {
  thumbprintSha256: given.thumbprint_sha256,
  privateKey: given.private_key,
  x5c: given.chain,
};
const tokens = {
  secret: await tokenBy({ clientSecret: given.secret }),
  certificate: await tokenBy({ clientCertificate: certificate }),
};

const client = Client.initWithMiddleware({
  authProvider: { getAccessToken: async () => tokens.certificate },
  baseUrl: `${given.origin}/`,
  customHosts: new Set([new URL(given.origin).hostname]),
});
const mailbox = `/users/${given.mailbox}`;
const message = (subject) => ({
  subject,
  body: { contentType: "HTML", content: "<p>From Microsoft's client for JavaScript.</p>" },
  toRecipients: [{ emailAddress: { address: "ada@example.net" } }],
});

await client.api(`${mailbox}/sendMail`).post({ message: message("JavaScript: a mail") });

const draft = await client.api(`${mailbox}/messages`).post(message("JavaScript: an upload"));
const content = Buffer.alloc(given.file_bytes, "0123456789abcdef0");
const session = await LargeFileUploadTask.createUploadSession(
  client,
  `${given.origin}/v1.0${mailbox}/messages/${draft.id}/attachments/createUploadSession`,
  { AttachmentItem: { attachmentType: "file", name: "plan.bin", size: content.length } },
);
const file = new FileUpload(content, "plan.bin", content.length);
const task = new LargeFileUploadTask(client, file, session, { rangeSize: 3 * 1024 * 1024 });
const { location } = await task.upload();
await client.api(`${mailbox}/messages/${draft.id}/send`).post({});

console.log(JSON.stringify({ tokens: Object.keys(tokens).length, location }));
