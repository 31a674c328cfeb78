package postrider;

import com.google.protobuf.Any;
import com.google.protobuf.Message;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RequestInfo;
import com.google.rpc.RetryInfo;
import io.grpc.Grpc;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsServerCredentials;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.StreamObserver;
import java.io.File;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import postrider.v1.AccessServiceGrpc;
import postrider.v1.CreateKeyRequest;
import postrider.v1.CreateKeyResponse;
import postrider.v1.MailServiceGrpc;
import postrider.v1.SendMailRequest;
import postrider.v1.SendMailResponse;
import postrider.v1.SettingsServiceGrpc;
import postrider.v1.TestStep;
import postrider.v1.WatchMessagesRequest;
import postrider.v1.WatchMessagesResponse;
import postrider.v1.WatchSettingsTestRequest;
import postrider.v1.WatchSettingsTestResponse;

/** A small Postrider with TLS that answers each call with the next of its failures, and well when there are none left. */
final class FakeService implements AutoCloseable {
    static final File TLS = new File("../testdata");

    final List<String> requestIds = new CopyOnWriteArrayList<>();
    final List<String> cursors = new CopyOnWriteArrayList<>();
    final List<String> shown = new CopyOnWriteArrayList<>();
    final AtomicInteger created = new AtomicInteger();
    private final Queue<StatusRuntimeException> failures;
    private final Server server;

    FakeService(StatusRuntimeException... failures) throws IOException {
        this.failures = new ArrayDeque<>(List.of(failures));
        server = Grpc.newServerBuilderForPort(
                        0, TlsServerCredentials.create(new File(TLS, "server.pem"), new File(TLS, "server-key.pem")))
                .addService(new Mail())
                .addService(new Settings())
                .addService(new Access())
                .intercept(new Keys())
                .build()
                .start();
    }

    static StatusRuntimeException refusal(Status.Code code, String reason, Message... details) {
        com.google.rpc.Status.Builder whole =
                com.google.rpc.Status.newBuilder().setCode(code.value()).setMessage("no");
        for (Message detail : details) {
            whole.addDetails(Any.pack(detail));
        }
        whole.addDetails(Any.pack(ErrorInfo.newBuilder()
                .setReason(reason)
                .setDomain("postrider")
                .putAllMetadata(Map.of("message_id", "m1"))
                .build()));
        whole.addDetails(Any.pack(RequestInfo.newBuilder().setRequestId("r1").build()));
        return StatusProto.toStatusRuntimeException(whole.build());
    }

    static RetryInfo retryAfter(Duration delay) {
        return RetryInfo.newBuilder()
                .setRetryDelay(com.google.protobuf.Duration.newBuilder()
                        .setSeconds(delay.getSeconds())
                        .setNanos(delay.getNano()))
                .build();
    }

    PostriderClient client() {
        return PostriderClient.connect(
                "https://127.0.0.1:" + server.getPort(), PostriderClientTest.KEY, new File(TLS, "ca.pem").toPath());
    }

    @Override
    public void close() {
        server.shutdownNow();
    }

    private synchronized <T> void answer(StreamObserver<T> to, T response) {
        StatusRuntimeException failure = failures.poll();
        if (failure != null) {
            to.onError(failure);
            return;
        }
        if (response != null) {
            to.onNext(response);
        }
        to.onCompleted();
    }

    private final class Mail extends MailServiceGrpc.MailServiceImplBase {
        @Override
        public void sendMail(SendMailRequest request, StreamObserver<SendMailResponse> to) {
            requestIds.add(request.getRequestId());
            SendMailResponse.Builder response = SendMailResponse.newBuilder();
            response.getMessageBuilder().setMessageId("m1");
            answer(to, response.build());
        }

        /** Says one cursor and one event, then breaks off; at cursor `silent` it says nothing for ever, the first time. */
        @Override
        public void watchMessages(WatchMessagesRequest request, StreamObserver<WatchMessagesResponse> to) {
            String cursor = request.getCursor();
            cursors.add(cursor);
            if (cursor.equals("silent") && cursors.size() == 1) {
                return;
            }
            String following = Map.of("", "1", "1", "2", "silent", "3").get(cursor);
            to.onNext(WatchMessagesResponse.newBuilder().setCursor(cursor).build());
            WatchMessagesResponse.Builder event = WatchMessagesResponse.newBuilder().setCursor(following);
            event.getMessageBuilder().setMessageId("m" + following);
            to.onNext(event.build());
            answer(to, null);
        }
    }

    private final class Settings extends SettingsServiceGrpc.SettingsServiceImplBase {
        /** One step, and the result; or the next failure. */
        @Override
        public void watchSettingsTest(WatchSettingsTestRequest request, StreamObserver<WatchSettingsTestResponse> to) {
            requestIds.add(request.getRequestId());
            if (failures.isEmpty()) {
                to.onNext(WatchSettingsTestResponse.newBuilder().setBegan(TestStep.TEST_STEP_SHAPE).build());
                WatchSettingsTestResponse.Builder result = WatchSettingsTestResponse.newBuilder();
                result.getResultBuilder().setPassed(true);
                to.onNext(result.build());
            }
            answer(to, null);
        }
    }

    private final class Access extends AccessServiceGrpc.AccessServiceImplBase {
        @Override
        public void createKey(CreateKeyRequest request, StreamObserver<CreateKeyResponse> to) {
            created.incrementAndGet();
            answer(to, CreateKeyResponse.getDefaultInstance());
        }
    }

    private final class Keys implements ServerInterceptor {
        @Override
        public <Q, S> ServerCall.Listener<Q> interceptCall(ServerCall<Q, S> call, Metadata headers, ServerCallHandler<Q, S> next) {
            shown.add(headers.get(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER)));
            return next.startCall(call, headers);
        }
    }
}
