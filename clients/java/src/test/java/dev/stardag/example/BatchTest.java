package dev.stardag.example;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import dev.stardag.v1.EventStreamOpened;
import dev.stardag.v1.NewEvent;
import dev.stardag.v1.PublishEventsRequest;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;

class BatchTest {
  private static final NewEvent EVENT =
      NewEvent.newBuilder().setBuildId(ByteString.copyFrom(new byte[16])).build();
  private static final List<NewEvent> EVENTS = Collections.nCopies(50, EVENT);

  @Test
  void aMessageIsNeverOverTheLimitOfBytes() {
    for (int bytes = 64; bytes < 800; bytes++) {
      var request =
          PublishEventsRequest.newBuilder()
              .setFirstSequence(-1) // unsigned, the greatest
              .addAllEvents(Batch.of(EVENTS, limits(bytes, 10_000)))
              .build();
      assertTrue(request.getSerializedSize() <= bytes, "limit of " + bytes);
    }
  }

  @Test
  void aMessageIsNeverOverTheLimitOfEvents() {
    assertEquals(7, Batch.of(EVENTS, limits(1 << 20, 7)).size());
  }

  @Test
  void anEventThatIsTooLargeGoesAlone() {
    assertEquals(1, Batch.of(EVENTS, limits(1, 7)).size());
  }

  private static EventStreamOpened limits(int bytes, int events) {
    return EventStreamOpened.newBuilder().setMaxBatchBytes(bytes).setMaxBatchEvents(events).build();
  }
}
