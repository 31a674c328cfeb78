package postrider;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static postrider.FakeService.refusal;
import static postrider.FakeService.retryAfter;

import com.google.rpc.BadRequest;
import io.grpc.Status;
import io.grpc.Status.Code;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import postrider.v1.CreateKeyRequest;
import postrider.v1.GetMessageRequest;
import postrider.v1.SendMailRequest;
import postrider.v1.TestStep;
import postrider.v1.WatchMessagesRequest;
import postrider.v1.WatchSettingsTestRequest;

/** The client asks again when it is told to, never twice where that would do harm, and says what is wrong. */
class PostriderClientTest {
    static final String KEY = "pr_test_key";

    @Test
    void aBusyServiceIsAskedAgainUnderOneRequestId() throws Exception {
        try (var service = new FakeService(
                        refusal(Code.RESOURCE_EXHAUSTED, "QUEUE_FULL", retryAfter(Duration.ofMillis(50))),
                        refusal(Code.UNAVAILABLE, "COMMIT_UNKNOWN", retryAfter(Duration.ofMillis(50))),
                        Status.UNAVAILABLE.asRuntimeException());
                var client = service.client()) {
            long begun = System.nanoTime();
            var sent = client.sendMail(SendMailRequest.newBuilder().setReseller("acme").build());
            assertEquals("m1", sent.getMessage().getMessageId());
            assertTrue(System.nanoTime() - begun >= 200_000_000, "it came again sooner than it was told");
            assertEquals(4, service.requestIds.size());
            assertEquals(1, Set.copyOf(service.requestIds).size());
            assertNotEquals("", service.requestIds.get(0));
            assertEquals(Set.of("Bearer " + KEY), Set.copyOf(service.shown));
        }
    }

    @Test
    void badInputNamesEveryFieldAndIsNotRepeated() throws Exception {
        BadRequest.Builder bad = BadRequest.newBuilder();
        bad.addFieldViolationsBuilder().setField("email.to[0].address").setDescription("is no address");
        bad.addFieldViolationsBuilder().setField("email.subject").setDescription("has two lines");
        try (var service = new FakeService(refusal(Code.INVALID_ARGUMENT, "INVALID_REQUEST", bad.build()));
                var client = service.client()) {
            var refused = assertThrows(
                    PostriderException.class, () -> client.sendMail(SendMailRequest.getDefaultInstance()));
            assertEquals(Code.INVALID_ARGUMENT, refused.getStatus().getCode());
            assertEquals("INVALID_REQUEST", refused.reason());
            assertEquals("r1", refused.requestId());
            assertEquals(
                    List.of(
                            new PostriderException.Violation("email.to[0].address", "is no address"),
                            new PostriderException.Violation("email.subject", "has two lines")),
                    refused.violations());
            assertTrue(refused.getMessage().contains("email.subject: has two lines"), refused.getMessage());
            assertEquals(1, service.requestIds.size());
        }
    }

    @Test
    void aKeyThatMayExistIsNotMadeTwice() throws Exception {
        var unknown = refusal(Code.UNAVAILABLE, "COMMIT_UNKNOWN", retryAfter(Duration.ofMillis(1)));
        try (var service = new FakeService(unknown);
                var client = service.client()) {
            var refused = assertThrows(
                    PostriderException.class, () -> client.createKey(CreateKeyRequest.getDefaultInstance()));
            assertEquals("COMMIT_UNKNOWN", refused.reason());
            assertEquals("m1", refused.metadata().get("message_id"));
            assertEquals(1, service.created.get());
        }
    }

    @Test
    void aDelayBeyondTheDeadlineIsNotWaitedFor() throws Exception {
        var full = refusal(Code.RESOURCE_EXHAUSTED, "QUEUE_FULL", retryAfter(Duration.ofHours(1)));
        try (var service = new FakeService(full);
                var client = service.client().withTimeout(Duration.ofSeconds(20))) {
            var refused = assertThrows(
                    PostriderException.class, () -> client.sendMail(SendMailRequest.getDefaultInstance()));
            assertEquals(Optional.of(Duration.ofHours(1)), refused.retryDelay());
        }
    }

    @Test
    void aServiceThatIsNotThereGivesNoReasonOfItsOwn() {
        try (var client = PostriderClient.connect("http://127.0.0.1:1", KEY).withTimeout(Duration.ofMillis(300))) {
            var refused = assertThrows(
                    PostriderException.class, () -> client.getMessage(GetMessageRequest.getDefaultInstance()));
            assertEquals("", refused.reason());
        }
    }

    @Test
    void aBrokenWatchGoesOnFromItsLastCursor() throws Exception {
        var leaving = refusal(Code.UNAVAILABLE, "SHUTTING_DOWN", retryAfter(Duration.ofMillis(1)));
        try (var service = new FakeService(leaving);
                var client = service.client();
                var watch = client.watch(WatchMessagesRequest.getDefaultInstance())) {
            assertEquals("m1", watch.next().getMessage().getMessageId());
            assertEquals("m2", watch.next().getMessage().getMessageId());
            assertEquals(List.of("", "1"), service.cursors);
            watch.close();
            assertFalse(watch.hasNext());
        }
    }

    @Test
    void aWatchThatFellSilentIsTakenUpAgain() throws Exception {
        var request = WatchMessagesRequest.newBuilder().setCursor("silent").build();
        try (var service = new FakeService();
                var client = service.client();
                var watch = client.watch(request, Duration.ofMillis(300))) {
            assertEquals("m3", watch.next().getMessage().getMessageId());
            assertEquals(List.of("silent", "silent"), service.cursors);
        }
    }

    @Test
    void aWatchThatIsClosedByAnotherThreadEnds() throws Exception {
        var request = WatchMessagesRequest.newBuilder().setCursor("silent").build();
        try (var service = new FakeService();
                var client = service.client();
                var watch = client.watch(request)) {
            var waiting = CompletableFuture.supplyAsync(watch::hasNext);
            while (service.cursors.isEmpty()) {
                Thread.onSpinWait();
            }
            watch.close();
            assertFalse(waiting.get(10, TimeUnit.SECONDS));
        }
    }

    @Test
    void aRevokedKeyEndsAWatch() throws Exception {
        try (var service = new FakeService(refusal(Code.UNAUTHENTICATED, "UNAUTHENTICATED"));
                var client = service.client();
                var watch = client.watch(WatchMessagesRequest.getDefaultInstance())) {
            assertEquals("m1", watch.next().getMessage().getMessageId());
            assertEquals("UNAUTHENTICATED", assertThrows(PostriderException.class, watch::hasNext).reason());
            assertFalse(watch.hasNext());
        }
    }

    @Test
    void aTestOfSettingsTellsEachStepAndIsAskedForAgainUnderOneRequestId() throws Exception {
        var unknown = refusal(Code.UNAVAILABLE, "COMMIT_UNKNOWN", retryAfter(Duration.ofMillis(1)));
        try (var service = new FakeService(unknown);
                var client = service.client();
                var events = client.watchSettingsTest(WatchSettingsTestRequest.getDefaultInstance())) {
            assertEquals(TestStep.TEST_STEP_SHAPE, events.next().getBegan());
            assertTrue(events.next().getResult().getPassed());
            assertFalse(events.hasNext());
            assertEquals(2, service.requestIds.size());
            assertEquals(1, Set.copyOf(service.requestIds).size());
            assertFalse(service.requestIds.get(0).isEmpty());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "127.0.0.1:50051", "ftp://a", "http://a/path"})
    void anUrlThatIsNoneIsRefusedAtOnce(String url) {
        assertThrows(IllegalArgumentException.class, () -> PostriderClient.connect(url, KEY));
    }
}
