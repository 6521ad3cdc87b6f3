package dev.stardag.example;

import static dev.stardag.v1.PublishEventsRequest.EVENTS_FIELD_NUMBER;

import com.google.protobuf.CodedOutputStream;
import dev.stardag.v1.EventStreamOpened;
import dev.stardag.v1.NewEvent;
import java.util.List;

/** How many events go into one message. */
final class Batch {
  /** Of a tag and a number, at their longest. */
  private static final int FIRST_SEQUENCE_SIZE = 11;

  /**
   * Returns as many of the first events as a message may have by the limits that the server told;
   * at least one, which it refuses if that is too large.
   */
  static List<NewEvent> of(List<NewEvent> events, EventStreamOpened limits) {
    int most = Math.min(events.size(), limits.getMaxBatchEvents());
    int count = 0;
    int bytes = FIRST_SEQUENCE_SIZE;
    while (count < most) {
      bytes += CodedOutputStream.computeMessageSize(EVENTS_FIELD_NUMBER, events.get(count));
      if (bytes > limits.getMaxBatchBytes() && count > 0) {
        break;
      }
      count++;
    }
    return events.subList(0, count);
  }

  private Batch() {}
}
