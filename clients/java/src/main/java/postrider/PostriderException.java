package postrider;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RequestInfo;
import com.google.rpc.RetryInfo;
import com.google.rpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/** A call that failed: the service's reason, its message, and all violated fields. */
public final class PostriderException extends StatusRuntimeException {
    private static final long serialVersionUID = 1;

    /** One field that is wrong, by its path from the request: {@code email.to[1].address}. */
    public record Violation(String field, String description) {}

    private String reason = "";
    private transient Map<String, String> metadata = Map.of();
    private transient List<Violation> violations = List.of();
    private String requestId = "";
    private Duration retryDelay;
    private final transient Status whole;

    PostriderException(io.grpc.Status status, io.grpc.Metadata trailers) {
        super(status, trailers);
        whole = StatusProto.fromStatusAndTrailers(status, trailers == null ? new io.grpc.Metadata() : trailers);
        for (Any detail : whole.getDetailsList()) {
            try {
                read(detail);
            } catch (InvalidProtocolBufferException unreadable) {
                addSuppressed(unreadable);
            }
        }
    }

    private void read(Any detail) throws InvalidProtocolBufferException {
        if (detail.is(ErrorInfo.class)) {
            ErrorInfo info = detail.unpack(ErrorInfo.class);
            reason = info.getReason();
            metadata = Map.copyOf(info.getMetadataMap());
        } else if (detail.is(RequestInfo.class)) {
            requestId = detail.unpack(RequestInfo.class).getRequestId();
        } else if (detail.is(RetryInfo.class)) {
            com.google.protobuf.Duration delay = detail.unpack(RetryInfo.class).getRetryDelay();
            retryDelay = Duration.ofSeconds(delay.getSeconds(), delay.getNanos());
        } else if (detail.is(BadRequest.class)) {
            violations = detail.unpack(BadRequest.class).getFieldViolationsList().stream()
                    .map(one -> new Violation(one.getField(), one.getDescription()))
                    .toList();
        }
    }

    /**
     * The service's own name for what is wrong, such as {@code INVALID_REQUEST} or {@code QUEUE_FULL}. Empty where the answer did
     * not come from the service, but from the network before it.
     */
    public String reason() {
        return reason;
    }

    /** What the reason comes with, such as {@code limit_bytes} or {@code message_id}. */
    public Map<String, String> metadata() {
        return metadata;
    }

    /** All fields that are wrong, where the reason is {@code INVALID_REQUEST}. */
    public List<Violation> violations() {
        return violations;
    }

    /** Names the call in the service's log. */
    public String requestId() {
        return requestId;
    }

    /** How long to wait before the call is made again, where the service said so. */
    public Optional<Duration> retryDelay() {
        return Optional.ofNullable(retryDelay);
    }

    /** The whole status, with details that have no method here. */
    public Status details() {
        return whole;
    }

    @Override
    public String getMessage() {
        String name = reason.isEmpty() ? getStatus().getCode().name() : reason;
        String fields = violations.stream()
                .map(one -> "; " + one.field() + ": " + one.description())
                .collect(Collectors.joining());
        String request = requestId.isEmpty() ? "" : " (request " + requestId + ")";
        return name + ": " + getStatus().getDescription() + fields + request;
    }
}
