/**
 * Sends a mail for a reseller, waits until Microsoft took it, and tests the reseller's settings.
 *
 *     POSTRIDER_URL=http://127.0.0.1:50051 POSTRIDER_KEY=pr_… npm run example -- [RESELLER [RECIPIENT]]
 */
import { Client, MessageState, PostriderError, WaitFor } from "../src/index.js";

const [reseller = "acme", recipient = "ada@example.net"] = process.argv.slice(2);

async function send(client: Client): Promise<void> {
  const { message } = await client.sendMail({
    reseller,
    email: {
      to: [{ address: recipient, displayName: "Ada" }],
      subject: "Hello from Node.js",
      text: "Sent by the Node.js client's example.",
    },
    waitFor: WaitFor.WAIT_FOR_SENT,
  });
  console.log(message?.messageId, message?.state);
  if (message?.state !== MessageState.MESSAGE_STATE_SENT) {
    throw new Error(`not sent: ${message?.finding?.title}\n${message?.finding?.mend}`);
  }
}

async function test(client: Client): Promise<void> {
  const { passed, steps } = await client.testSettings({ reseller });
  for (const step of steps) {
    console.log(step.name, step.status);
    for (const { code, title, mend } of step.findings) console.log(`  ${code}: ${title}\n  ${mend}`);
  }
  if (!passed) throw new Error("the settings do not work");
}

const client = Client.fromEnv({ timeout: 60_000 });
try {
  await send(client);
  await test(client);
} catch (error) {
  const missing = error instanceof PostriderError && error.reason === "SETTINGS_MISSING";
  const known = missing ? `${reseller} has no settings yet: \`postrider settings put ${reseller} …\`` : error;
  console.error(known instanceof Error ? known.message : known);
  process.exitCode = 1;
} finally {
  client.close();
}
