package postrider.example;

import java.time.Duration;
import postrider.PostriderClient;
import postrider.PostriderException;
import postrider.v1.Address;
import postrider.v1.Email;
import postrider.v1.Finding;
import postrider.v1.Message;
import postrider.v1.MessageState;
import postrider.v1.SendMailRequest;
import postrider.v1.TestSettingsRequest;
import postrider.v1.TestSettingsResponse;
import postrider.v1.TestStepResult;
import postrider.v1.WaitFor;

/**
 * Sends a mail for a reseller, waits until Microsoft took it, and tests the reseller's settings.
 *
 * <pre>POSTRIDER_URL=http://127.0.0.1:50051 POSTRIDER_KEY=pr_… mvn -q test-compile exec:java -Dexec.args="[RESELLER [RECIPIENT]]"</pre>
 */
public final class Send {
    private Send() {}

    public static void main(String[] arguments) {
        String reseller = arguments.length > 0 ? arguments[0] : "acme";
        String recipient = arguments.length > 1 ? arguments[1] : "ada@example.net";
        try (PostriderClient client = PostriderClient.fromEnvironment().withTimeout(Duration.ofMinutes(1))) {
            send(client, reseller, recipient);
            test(client, reseller);
        } catch (PostriderException refused) {
            if (!refused.reason().equals("SETTINGS_MISSING")) {
                throw refused;
            }
            throw new IllegalStateException(reseller + " has no settings yet: `postrider settings put " + reseller + " …`");
        }
    }

    private static void send(PostriderClient client, String reseller, String recipient) {
        Email email = Email.newBuilder()
                .addTo(Address.newBuilder().setAddress(recipient).setDisplayName("Ada"))
                .setSubject("Hello from Java")
                .setText("Sent by the Java client's example.")
                .build();
        SendMailRequest request = SendMailRequest.newBuilder()
                .setReseller(reseller)
                .setEmail(email)
                .setWaitFor(WaitFor.WAIT_FOR_SENT)
                .build();
        Message message = client.sendMail(request).getMessage();
        System.out.println(message.getMessageId() + " " + message.getState());
        if (message.getState() != MessageState.MESSAGE_STATE_SENT) {
            Finding finding = message.getFinding();
            throw new IllegalStateException("not sent: " + finding.getTitle() + "\n" + finding.getMend());
        }
    }

    private static void test(PostriderClient client, String reseller) {
        TestSettingsRequest request = TestSettingsRequest.newBuilder().setReseller(reseller).build();
        TestSettingsResponse result = client.testSettings(request);
        for (TestStepResult step : result.getStepsList()) {
            System.out.println(step.getName() + " " + step.getStatus());
            for (Finding finding : step.getFindingsList()) {
                System.out.println("  " + finding.getCode() + ": " + finding.getTitle() + "\n  " + finding.getMend());
            }
        }
        if (!result.getPassed()) {
            throw new IllegalStateException("the settings do not work");
        }
    }
}
