package dev.stardag.example;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.grpc.StatusException;
import io.grpc.protobuf.StatusProto;
import java.time.Duration;
import java.util.Optional;

/** What a failed call says to a program: act on code and reason, never on the message. */
final class Errors {
  private static final String DOMAIN = "stardag.dev";
  private static final Duration DEFAULT_DELAY = Duration.ofMillis(200);

  /**
   * Returns the reason in the error's details, such as BUILD_NOT_FOUND, if the service itself
   * refused the call.
   */
  static Optional<String> reason(StatusException error) {
    return detail(error, ErrorInfo.class)
        .filter(info -> info.getDomain().equals(DOMAIN))
        .map(ErrorInfo::getReason);
  }

  /** Returns how long to wait before the same call is worth trying again, if it is. */
  static Optional<Duration> retryDelay(StatusException error) {
    Optional<Duration> told =
        detail(error, RetryInfo.class)
            .map(RetryInfo::getRetryDelay)
            .map(delay -> Duration.ofSeconds(delay.getSeconds(), delay.getNanos()));
    return switch (error.getStatus().getCode()) {
      case UNAVAILABLE -> told.or(() -> Optional.of(DEFAULT_DELAY));
      case RESOURCE_EXHAUSTED -> told;
      default -> Optional.empty();
    };
  }

  /** Returns what a person should know of a failed call, in one line. */
  static String text(StatusException error) {
    String reason = reason(error).map(known -> " (" + known + ")").orElse("");
    String said = Optional.ofNullable(error.getStatus().getDescription()).orElse("");
    String cause =
        Optional.ofNullable(error.getStatus().getCause())
            .map(failed -> ": " + failed.getMessage())
            .orElse("");
    // What gRPC says of itself goes on for lines.
    return error.getStatus().getCode()
        + reason
        + ": "
        + said.lines().findFirst().orElse("")
        + cause;
  }

  private static <T extends Message> Optional<T> detail(StatusException error, Class<T> kind) {
    for (Any detail : StatusProto.fromThrowable(error).getDetailsList()) {
      if (detail.is(kind)) {
        try {
          return Optional.of(detail.unpack(kind));
        } catch (InvalidProtocolBufferException damaged) {
          return Optional.empty();
        }
      }
    }
    return Optional.empty();
  }

  private Errors() {}
}
