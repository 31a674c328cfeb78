package postrider;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.stub.BlockingClientCall;
import io.grpc.stub.ClientCalls;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import postrider.v1.MailServiceGrpc;
import postrider.v1.WatchMessagesRequest;
import postrider.v1.WatchMessagesResponse;

/**
 * Each change of a message, without gaps: when the stream breaks it goes on by itself from the last cursor.
 *
 * <p>{@link #hasNext} waits for the next change. It throws a {@link PostriderException} that does not pass, such as a revoked key or
 * {@code CURSOR_EXPIRED}, and is false only after {@link #close}, which any thread may call, or when the waiting thread is
 * interrupted. One thread reads. To go on after a restart of your own program, keep the cursor of the last response and give it in the
 * request.
 */
public final class Watch extends Responses<WatchMessagesResponse> {
    private final Channel channel;
    private final Runnable reconnect;
    private final Duration silence;
    private WatchMessagesRequest request;
    private int attempt;
    private volatile BlockingClientCall<WatchMessagesRequest, WatchMessagesResponse> call;
    private volatile boolean closed;

    Watch(Channel channel, Runnable reconnect, Duration silence, WatchMessagesRequest request) {
        this.channel = channel;
        this.reconnect = reconnect;
        this.silence = silence;
        this.request = request;
    }

    @Override
    protected boolean hasEnded() {
        return closed;
    }

    @Override
    public void close() {
        closed = true;
        drop();
    }

    @Override
    protected void advance() throws InterruptedException {
        PostriderException failure;
        try {
            // Why a copy: another thread may close the watch meanwhile.
            BlockingClientCall<WatchMessagesRequest, WatchMessagesResponse> reading = call;
            if (reading == null) {
                reading = ClientCalls.blockingV2ServerStreamingCall(
                        channel, MailServiceGrpc.getWatchMessagesMethod(), CallOptions.DEFAULT, request);
                call = reading;
            }
            if (closed) {
                drop();
                return;
            }
            WatchMessagesResponse response = reading.read(silence.toMillis(), TimeUnit.MILLISECONDS);
            if (response != null) {
                attempt = 0;
                request = request.toBuilder().setCursor(response.getCursor()).build();
                next = response.hasMessage() ? response : null;
                return;
            }
            failure = new PostriderException(Status.OK, null);
        } catch (TimeoutException silent) {
            failure = new PostriderException(Status.CANCELLED.withCause(silent), null);
        } catch (StatusException broken) {
            failure = new PostriderException(broken.getStatus(), broken.getTrailers());
        }
        drop();
        if (closed) {
            return;
        }
        Optional<Duration> delay = Retry.delayBeforeResume(failure, attempt++);
        if (delay.isEmpty()) {
            closed = true;
            throw failure;
        }
        Thread.sleep(delay.get().toMillis());
        reconnect.run();
    }

    private void drop() {
        BlockingClientCall<WatchMessagesRequest, WatchMessagesResponse> dropped = call;
        call = null;
        if (dropped != null) {
            dropped.cancel("the watch goes on by another stream, or is closed", null);
        }
    }
}
