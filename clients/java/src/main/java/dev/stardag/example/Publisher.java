package dev.stardag.example;

import dev.stardag.v1.EventServiceGrpc.EventServiceBlockingV2Stub;
import dev.stardag.v1.NewEvent;
import io.grpc.StatusException;
import java.time.Duration;
import java.util.List;
import java.util.UUID;

/** Events in: each is stored once, whatever becomes of connections. */
final class Publisher {
  /** What was just sent is likely to leave the machine in this time. */
  private static final Duration ON_THE_WAY = Duration.ofMillis(50);

  private final EventServiceBlockingV2Stub stub;
  private final UUID streamId;

  Publisher(EventServiceBlockingV2Stub stub, UUID streamId) {
    this.stub = stub;
    this.streamId = streamId;
  }

  /**
   * Publishes the events of the stream, numbered from 1, and returns how many are committed. What
   * the server has already is not sent again; after a failure that is worth it, the stream is
   * opened anew and goes on where it was.
   */
  long publish(List<NewEvent> events) throws StatusException, InterruptedException {
    while (true) {
      try (var stream = new EventStream(stub, streamId)) {
        stream.send(events);
        return stream.finish();
      } catch (StatusException error) {
        Thread.sleep(Errors.retryDelay(error).orElseThrow(() -> error).toMillis());
      }
    }
  }

  /**
   * Sends events and breaks the connection without waiting for acknowledgements, so that nobody
   * here knows how many of them arrived.
   */
  void sendAndBreak(List<NewEvent> events) throws StatusException, InterruptedException {
    try (var stream = new EventStream(stub, streamId)) {
      stream.send(events);
      Thread.sleep(ON_THE_WAY.toMillis());
    } // closed without `finish`, the call is cancelled
  }
}
