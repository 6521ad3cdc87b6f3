package dev.stardag.example;

import dev.stardag.v1.NewEvent;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * The events of a stream, numbered from 1, as they happen.
 *
 * <p>It keeps them all, in memory, so that any may be sent again; a producer whose events are to
 * survive it keeps them on disk.
 */
final class Outbox implements AutoCloseable {
  private final List<NewEvent> events = new ArrayList<>();
  private boolean closed;

  synchronized void add(NewEvent event) {
    events.add(event);
    notifyAll();
  }

  /** Says that no more events come. */
  @Override
  public synchronized void close() {
    closed = true;
    notifyAll();
  }

  /** Whether the event with this number was the last. */
  synchronized boolean endsWith(int number) {
    return closed && number >= events.size();
  }

  /** Returns the events after a number; waits for the first of them as long as is given. */
  synchronized List<NewEvent> after(int number, Duration patience) throws InterruptedException {
    if (number >= events.size() && !closed) {
      wait(Math.max(1, patience.toMillis()));
    }
    return List.copyOf(events.subList(Math.min(number, events.size()), events.size()));
  }
}
