package postrider;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.StatusException;
import io.grpc.stub.BlockingClientCall;
import io.grpc.stub.ClientCalls;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import postrider.v1.SettingsServiceGrpc;
import postrider.v1.WatchSettingsTestRequest;
import postrider.v1.WatchSettingsTestResponse;

/**
 * A test of settings while it runs: each step as it begins and ends; the last response has the {@code result}.
 *
 * <p>{@link #hasNext} waits for the next response. It throws a {@link PostriderException} where the call fails, and is false at the
 * end, after {@link #close}, or when the waiting thread is interrupted. One thread reads. The test goes on to its end also after
 * {@code close}.
 */
public final class SettingsTestWatch extends Responses<WatchSettingsTestResponse> {
    private final Channel channel;
    private final Runnable reconnect;
    private final long end;
    private final WatchSettingsTestRequest request;
    private BlockingClientCall<WatchSettingsTestRequest, WatchSettingsTestResponse> call;
    private boolean begun;
    private boolean ended;
    private int attempt;

    SettingsTestWatch(Channel channel, Runnable reconnect, Duration timeout, WatchSettingsTestRequest request) {
        this.channel = channel;
        this.reconnect = reconnect;
        this.end = System.nanoTime() + timeout.toNanos();
        this.request = request;
    }

    @Override
    protected boolean hasEnded() {
        return ended;
    }

    @Override
    public void close() {
        ended = true;
        if (call != null) {
            call.cancel("the watch is closed", null);
        }
    }

    @Override
    protected void advance() throws InterruptedException {
        PostriderException failure;
        try {
            if (call == null) {
                CallOptions options =
                        CallOptions.DEFAULT.withDeadlineAfter(end - System.nanoTime(), TimeUnit.NANOSECONDS);
                call = ClientCalls.blockingV2ServerStreamingCall(
                        channel, SettingsServiceGrpc.getWatchSettingsTestMethod(), options, request);
            }
            next = call.read();
            begun = true;
            ended = next == null;
            return;
        } catch (StatusException broken) {
            failure = new PostriderException(broken.getStatus(), broken.getTrailers());
        }
        call = null;
        Optional<Duration> delay =
                begun ? Optional.empty() : Retry.delayBeforeRepeat("WatchSettingsTest", failure, attempt++);
        if (delay.isEmpty() || System.nanoTime() + delay.get().toNanos() - end >= 0) {
            ended = true;
            throw failure;
        }
        Thread.sleep(delay.get().toMillis() + 1);
        reconnect.run();
    }
}
