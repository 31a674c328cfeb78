package postrider;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ChannelCredentials;
import io.grpc.ClientInterceptors;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.MetadataUtils;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import postrider.v1.AccessServiceGrpc;
import postrider.v1.BatchSendMailRequest;
import postrider.v1.BatchSendMailResponse;
import postrider.v1.CancelMessageRequest;
import postrider.v1.CancelMessageResponse;
import postrider.v1.CreateKeyRequest;
import postrider.v1.CreateKeyResponse;
import postrider.v1.DeleteSettingsRequest;
import postrider.v1.DeleteSettingsResponse;
import postrider.v1.GetMessageRequest;
import postrider.v1.GetMessageResponse;
import postrider.v1.GetSettingsRequest;
import postrider.v1.GetSettingsResponse;
import postrider.v1.ListAuditEventsRequest;
import postrider.v1.ListAuditEventsResponse;
import postrider.v1.ListKeysRequest;
import postrider.v1.ListKeysResponse;
import postrider.v1.ListMessagesRequest;
import postrider.v1.ListMessagesResponse;
import postrider.v1.ListSettingsRequest;
import postrider.v1.ListSettingsResponse;
import postrider.v1.MailServiceGrpc;
import postrider.v1.PauseSendingRequest;
import postrider.v1.PauseSendingResponse;
import postrider.v1.PutSettingsRequest;
import postrider.v1.PutSettingsResponse;
import postrider.v1.ResumeSendingRequest;
import postrider.v1.ResumeSendingResponse;
import postrider.v1.RetryMessageRequest;
import postrider.v1.RetryMessageResponse;
import postrider.v1.RetryMessagesRequest;
import postrider.v1.RetryMessagesResponse;
import postrider.v1.RevokeKeyRequest;
import postrider.v1.RevokeKeyResponse;
import postrider.v1.SendMailRequest;
import postrider.v1.SendMailResponse;
import postrider.v1.SettingsServiceGrpc;
import postrider.v1.TestSettingsRequest;
import postrider.v1.TestSettingsResponse;
import postrider.v1.WatchMessagesRequest;
import postrider.v1.WatchSettingsTestRequest;

/**
 * Calls one Postrider service, which sends each reseller's email from the reseller's own Microsoft 365 mailbox.
 *
 * <p>Every RPC of the API is a method. Around the generated code a call shows the access key, has a deadline ({@link #withTimeout}),
 * carries a {@code request_id} where you gave none, is repeated when the service says when to come again, and throws
 * {@link PostriderException}. It is safe for use by many threads. Make one and keep it.
 */
public final class PostriderClient implements AutoCloseable {
    /** Where a service on this machine listens. */
    public static final String DEFAULT_URL = "http://127.0.0.1:50051";

    /** How long a call may last, repeats and waits included, unless {@link #withTimeout} says otherwise. */
    public static final Duration DEFAULT_TIMEOUT = Duration.ofSeconds(30);

    /** The service says something at least every 15 seconds. Three times that without a word is a stream that died unseen. */
    private static final Duration WATCH_SILENCE = Duration.ofSeconds(45);

    /** A page of 1,000 messages with their attempts. */
    private static final int RESPONSE_BYTES_MAX = 64 << 20;

    private final ManagedChannel connection;
    private final Channel channel;
    private final Duration timeout;

    private PostriderClient(ManagedChannel connection, Channel channel, Duration timeout) {
        this.connection = connection;
        this.channel = channel;
        this.timeout = timeout;
    }

    /** For the service at {@code POSTRIDER_URL} (default: on this machine) with the key in {@code POSTRIDER_KEY}. */
    public static PostriderClient fromEnvironment() {
        String key = System.getenv("POSTRIDER_KEY");
        if (key == null || key.isBlank()) {
            throw new IllegalStateException("no access key: set POSTRIDER_KEY; `postrider keys create` makes one");
        }
        String url = System.getenv("POSTRIDER_URL");
        return connect(url == null || url.isBlank() ? DEFAULT_URL : url, key);
    }

    /**
     * For a URL such as {@code https://postrider.example:50051}; it connects with the first call.
     *
     * <p>With {@code http} the key and all mail cross the network as they are: that is for this machine, or behind a proxy with TLS.
     */
    public static PostriderClient connect(String url, String key) {
        URI where = read(url);
        return connect(where, key, isTls(where) ? TlsChannelCredentials.create() : InsecureChannelCredentials.create());
    }

    /** The same for an {@code https} URL, trusting only the certificate authorities in a PEM file, in place of the system's. */
    public static PostriderClient connect(String url, String key, Path caFile) {
        URI where = read(url);
        if (!isTls(where)) {
            throw new IllegalArgumentException("a CA file is for an https URL");
        }
        try {
            return connect(where, key, TlsChannelCredentials.newBuilder().trustManager(caFile.toFile()).build());
        } catch (IOException unreadable) {
            throw new UncheckedIOException("the CA file cannot be read", unreadable);
        }
    }

    private static PostriderClient connect(URI where, String key, ChannelCredentials credentials) {
        int port = where.getPort() != -1 ? where.getPort() : isTls(where) ? 443 : 80;
        // Why round_robin: of several replicas behind one name each is used, and one that leaves is not missed.
        ManagedChannel connection = Grpc.newChannelBuilder("dns:///" + where.getHost() + ":" + port, credentials)
                .defaultLoadBalancingPolicy("round_robin")
                .maxInboundMessageSize(RESPONSE_BYTES_MAX)
                .build();
        Metadata shown = new Metadata();
        shown.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + key.strip());
        Channel channel = ClientInterceptors.intercept(connection, MetadataUtils.newAttachHeadersInterceptor(shown));
        return new PostriderClient(connection, channel, DEFAULT_TIMEOUT);
    }

    private static URI read(String url) {
        try {
            URI where = new URI(url);
            String path = Objects.requireNonNullElse(where.getPath(), "");
            if (where.getHost() != null && (path.isEmpty() || path.equals("/")) && isHttp(where)) {
                return where;
            }
        } catch (URISyntaxException none) {
            // Told below, as any other URL that is none of ours.
        }
        throw new IllegalArgumentException("\"" + url + "\" is no http:// or https:// URL such as " + DEFAULT_URL);
    }

    private static boolean isHttp(URI where) {
        return "http".equals(where.getScheme()) || isTls(where);
    }

    private static boolean isTls(URI where) {
        return "https".equals(where.getScheme());
    }

    /** The same client, over the same connection, with another time for each call, repeats and waits included. */
    public PostriderClient withTimeout(Duration timeout) {
        return new PostriderClient(connection, channel, timeout);
    }

    /** Ends the connection and every call on it. */
    @Override
    public void close() {
        connection.shutdownNow();
    }

    /** Accepts one email and answers once it is on disk, or with {@code WAIT_FOR_SENT} once it came to something. */
    public SendMailResponse sendMail(SendMailRequest request) {
        return call(MailServiceGrpc.getSendMailMethod(), Retry.withRequestId(request));
    }

    /**
     * Accepts up to 1,000 emails of one reseller, together at most 64 MiB. The results stand in the order of the requests.
     */
    public BatchSendMailResponse batchSendMail(BatchSendMailRequest request) {
        return call(MailServiceGrpc.getBatchSendMailMethod(), Retry.withRequestIds(request));
    }

    /** Tells where one message is, with every attempt. It needs no settings. */
    public GetMessageResponse getMessage(GetMessageRequest request) {
        return call(MailServiceGrpc.getGetMessageMethod(), request);
    }

    /** Lists a reseller's messages, the newest first. */
    public ListMessagesResponse listMessages(ListMessagesRequest request) {
        return call(MailServiceGrpc.getListMessagesMethod(), request);
    }

    /** Stops a message that has not been sent, and destroys its content. */
    public CancelMessageResponse cancelMessage(CancelMessageRequest request) {
        return call(MailServiceGrpc.getCancelMessageMethod(), request);
    }

    /** Sends a message again under the same ids, with a fresh expiry. */
    public RetryMessageResponse retryMessage(RetryMessageRequest request) {
        return call(MailServiceGrpc.getRetryMessageMethod(), request);
    }

    /**
     * Does {@link #retryMessage} for all of a reseller's messages that match, skips those that cannot be retried, and counts
     * the rest.
     */
    public RetryMessagesResponse retryMessages(RetryMessagesRequest request) {
        return call(MailServiceGrpc.getRetryMessagesMethod(), request);
    }

    /**
     * Saves a reseller's settings. It replaces all but the credential, which stays when left out; the first put needs one.
     */
    public PutSettingsResponse putSettings(PutSettingsRequest request) {
        return call(SettingsServiceGrpc.getPutSettingsMethod(), request);
    }

    /** Gives a reseller's settings, without the secret. */
    public GetSettingsResponse getSettings(GetSettingsRequest request) {
        return call(SettingsServiceGrpc.getGetSettingsMethod(), request);
    }

    /** Lists the settings of all resellers that the caller may see, by reseller. */
    public ListSettingsResponse listSettings(ListSettingsRequest request) {
        return call(SettingsServiceGrpc.getListSettingsMethod(), request);
    }

    /** Destroys a reseller's settings, credential and data key. The history of its messages stays, without content. */
    public DeleteSettingsResponse deleteSettings(DeleteSettingsRequest request) {
        return call(SettingsServiceGrpc.getDeleteSettingsMethod(), request);
    }

    /**
     * Tries settings in five steps, at most up to a test mail, and says of each what was found. A failed test is an answer,
     * not an error.
     */
    public TestSettingsResponse testSettings(TestSettingsRequest request) {
        return call(SettingsServiceGrpc.getTestSettingsMethod(), Retry.withRequestId(request));
    }

    /**
     * Stops a reseller's mail until {@link #resumeSending}. Mail is still accepted and waits; attempts under way end by
     * themselves.
     */
    public PauseSendingResponse pauseSending(PauseSendingRequest request) {
        return call(SettingsServiceGrpc.getPauseSendingMethod(), request);
    }

    /** Ends an operator's pause, and wakes a lane that its settings hold. Nothing else ends an operator's pause. */
    public ResumeSendingResponse resumeSending(ResumeSendingRequest request) {
        return call(SettingsServiceGrpc.getResumeSendingMethod(), request);
    }

    /** Makes a key. Its secret is in the reply and nowhere else: only a keyed hash is kept. */
    public CreateKeyResponse createKey(CreateKeyRequest request) {
        return call(AccessServiceGrpc.getCreateKeyMethod(), request);
    }

    /** Lists the keys that the caller may see, revoked and expired ones too. Without their secrets. */
    public ListKeysResponse listKeys(ListKeysRequest request) {
        return call(AccessServiceGrpc.getListKeysMethod(), request);
    }

    /** Ends a key for good, at once; its open streams end too. On a revoked key it is OK again. */
    public RevokeKeyResponse revokeKey(RevokeKeyRequest request) {
        return call(AccessServiceGrpc.getRevokeKeyMethod(), request);
    }

    /** Lists what callers changed, the newest first. */
    public ListAuditEventsResponse listAuditEvents(ListAuditEventsRequest request) {
        return call(AccessServiceGrpc.getListAuditEventsMethod(), request);
    }

    /** Each change of a message, without gaps. Close it when you have enough. */
    public Watch watch(WatchMessagesRequest request) {
        return watch(request, WATCH_SILENCE);
    }

    Watch watch(WatchMessagesRequest request, Duration silence) {
        return new Watch(channel, connection::resetConnectBackoff, silence, request);
    }

    /**
     * Does {@link #testSettings} and tells of each step as it begins and ends: for people who wait for it. Close it when you have
     * enough.
     */
    public SettingsTestWatch watchSettingsTest(WatchSettingsTestRequest request) {
        return new SettingsTestWatch(channel, connection::resetConnectBackoff, timeout, Retry.withRequestId(request));
    }

    private <Q, S> S call(MethodDescriptor<Q, S> method, Q request) {
        long end = System.nanoTime() + timeout.toNanos();
        for (int attempt = 0; ; attempt++) {
            PostriderException failure;
            try {
                CallOptions options =
                        CallOptions.DEFAULT.withDeadlineAfter(end - System.nanoTime(), TimeUnit.NANOSECONDS);
                return ClientCalls.blockingUnaryCall(channel, method, options, request);
            } catch (StatusRuntimeException thrown) {
                failure = new PostriderException(thrown.getStatus(), thrown.getTrailers());
            }
            PostriderException last = failure;
            Duration delay = Retry.delayBeforeRepeat(method.getBareMethodName(), last, attempt).orElseThrow(() -> last);
            if (System.nanoTime() + delay.toNanos() - end >= 0) {
                throw last;
            }
            pause(delay, last);
        }
    }

    private void pause(Duration delay, PostriderException failure) {
        try {
            Thread.sleep(delay.toMillis() + 1);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw failure;
        }
        // gRPC's own gap grows to two minutes, and a service that is back would long be waited for.
        connection.resetConnectBackoff();
    }
}
