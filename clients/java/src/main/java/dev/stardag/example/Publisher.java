package dev.stardag.example;

import dev.stardag.v1.EventServiceGrpc.EventServiceBlockingV2Stub;
import io.grpc.StatusException;
import java.time.Duration;
import java.util.UUID;
import java.util.function.Consumer;

/**
 * Events in: each is stored once, whatever becomes of connections.
 *
 * @param stop is told why, when somebody asks a build of the stream to stop; perhaps repeatedly
 */
record Publisher(
    EventServiceBlockingV2Stub stub, UUID streamId, Outbox outbox, Consumer<String> stop) {

  /**
   * Delivers the events of the outbox until that is closed, and returns how many are committed.
   * What the server has already is not sent again; after a failure that is worth it, the stream is
   * opened anew and goes on where it was.
   */
  long publish() throws StatusException, InterruptedException {
    while (true) {
      try (var stream = new EventStream(stub, streamId)) {
        return stream.deliver(outbox, stop);
      } catch (StatusException error) {
        Duration delay = Errors.retryDelay(error).orElseThrow(() -> error);
        System.err.println("the stream broke, and is opened anew: " + Errors.text(error));
        Thread.sleep(delay.toMillis());
      }
    }
  }
}
