package postrider;

import io.grpc.Status.Code;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;
import postrider.v1.BatchSendMailRequest;
import postrider.v1.SendMailRequest;
import postrider.v1.TestSettingsRequest;
import postrider.v1.WatchSettingsTestRequest;

/** When a call is made again, and how it can be. */
final class Retry {
    private static final Duration BACKOFF_FIRST = Duration.ofMillis(100);
    private static final Duration BACKOFF_MOST = Duration.ofSeconds(5);

    /**
     * RPCs that must not be made twice when it is not known whether the first one was carried out. All others only read, come to the
     * same when repeated, or carry a request_id.
     */
    private static final Set<String> NOT_REPEATABLE =
            Set.of("CreateKey", "PutSettings", "DeleteSettings", "RetryMessage", "RetryMessages");

    /** How a stream ends that was cut: by the network, by a proxy, or without a word. */
    private static final Set<Code> CUT = Set.of(Code.INTERNAL, Code.UNKNOWN, Code.CANCELLED, Code.OK);

    private Retry() {}

    /** How long to wait before the call is made again. Empty: it must not be. */
    static Optional<Duration> delayBeforeRepeat(String rpc, PostriderException failure, int attempt) {
        boolean unknown = failure.reason().isEmpty() || failure.reason().equals("COMMIT_UNKNOWN");
        if (unknown && NOT_REPEATABLE.contains(rpc)) {
            return Optional.empty();
        }
        if (failure.retryDelay().isPresent()) {
            return failure.retryDelay().map(Retry::jittered);
        }
        boolean away = failure.reason().isEmpty() && failure.getStatus().getCode() == Code.UNAVAILABLE;
        return away ? Optional.of(growing(attempt)) : Optional.empty();
    }

    /** The same for a broken watch. */
    static Optional<Duration> delayBeforeResume(PostriderException failure, int attempt) {
        if (failure.reason().isEmpty() && CUT.contains(failure.getStatus().getCode())) {
            return Optional.of(growing(attempt));
        }
        return delayBeforeRepeat("WatchMessages", failure, attempt);
    }

    static SendMailRequest withRequestId(SendMailRequest request) {
        return request.getRequestId().isEmpty() ? request.toBuilder().setRequestId(fresh()).build() : request;
    }

    static TestSettingsRequest withRequestId(TestSettingsRequest request) {
        return request.getRequestId().isEmpty() ? request.toBuilder().setRequestId(fresh()).build() : request;
    }

    static WatchSettingsTestRequest withRequestId(WatchSettingsTestRequest request) {
        return request.getRequestId().isEmpty() ? request.toBuilder().setRequestId(fresh()).build() : request;
    }

    static BatchSendMailRequest withRequestIds(BatchSendMailRequest request) {
        BatchSendMailRequest.Builder whole = request.toBuilder().clearRequests();
        request.getRequestsList().forEach(item -> whole.addRequests(withRequestId(item)));
        return whole.build();
    }

    private static String fresh() {
        return UUID.randomUUID().toString();
    }

    static Duration growing(int attempt) {
        Duration delay = BACKOFF_FIRST.multipliedBy(1L << Math.min(attempt, 10));
        return jittered(delay.compareTo(BACKOFF_MOST) < 0 ? delay : BACKOFF_MOST);
    }

    /** Never shorter, for the service's word is a least, and up to a fifth longer: callers do not come all at once. */
    private static Duration jittered(Duration delay) {
        return delay.plusNanos(ThreadLocalRandom.current().nextLong(delay.toNanos() / 5 + 1));
    }
}
