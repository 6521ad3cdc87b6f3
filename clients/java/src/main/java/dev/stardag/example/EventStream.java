package dev.stardag.example;

import dev.stardag.v1.EventAck;
import dev.stardag.v1.EventRejection;
import dev.stardag.v1.EventServiceGrpc.EventServiceBlockingV2Stub;
import dev.stardag.v1.EventStreamOpened;
import dev.stardag.v1.NewEvent;
import dev.stardag.v1.OpenEventStream;
import dev.stardag.v1.PublishEventsRequest;
import dev.stardag.v1.PublishEventsResponse;
import io.grpc.Status;
import io.grpc.StatusException;
import io.grpc.stub.BlockingClientCall;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.function.Consumer;

/** One connection of a stream of events. Closing it breaks it, unless it has ended. */
final class EventStream implements AutoCloseable {
  private final BlockingClientCall<PublishEventsRequest, PublishEventsResponse> call;
  private final ExecutorService sender = Executors.newSingleThreadExecutor();
  private final EventStreamOpened limits;

  /** Has room for the events that may be under way without being acknowledged. */
  private final Semaphore window;

  /** Everything up to this number is durable, and visible to reads. */
  private long committed;

  EventStream(EventServiceBlockingV2Stub stub, UUID streamId)
      throws StatusException, InterruptedException {
    call = stub.publishEvents();
    var open = OpenEventStream.newBuilder().setStreamId(streamId.toString());
    call.write(PublishEventsRequest.newBuilder().setOpen(open).build());
    PublishEventsResponse response = call.read();
    if (response == null || !response.hasOpened()) {
      close();
      throw Status.INTERNAL.withDescription("the server did not open the stream").asException();
    }
    limits = response.getOpened();
    window = new Semaphore(limits.getMaxUnackedEvents());
    committed = limits.getCommittedSequence();
    System.out.println("stream " + streamId + " goes on after event " + committed);
  }

  /**
   * Delivers the events that are not committed, and those that come, until the outbox is closed;
   * returns how many are committed then. Tells {@code stop} why, when a build is asked to.
   *
   * <p>Another thread sends: acknowledgements that nobody reads would in the end keep the server
   * from reading events.
   */
  long deliver(Outbox outbox, Consumer<String> stop) throws StatusException, InterruptedException {
    int first = (int) committed;
    sender.submit(() -> send(outbox, first));
    PublishEventsResponse response;
    while ((response = call.read()) != null) {
      take(response, stop);
    }
    return committed;
  }

  /** Sends events, and a heartbeat where none come: so the server knows that somebody lives. */
  private Void send(Outbox outbox, int committed) throws StatusException, InterruptedException {
    var heartbeat = limits.getHeartbeatInterval();
    Duration patience = Duration.ofSeconds(heartbeat.getSeconds(), heartbeat.getNanos());
    int sent = committed;
    while (!outbox.endsWith(sent)) {
      List<NewEvent> waiting = outbox.after(sent, patience.dividedBy(2));
      var request = PublishEventsRequest.newBuilder();
      if (!waiting.isEmpty()) {
        List<NewEvent> batch = Batch.of(waiting, limits);
        window.acquire(batch.size());
        request.setFirstSequence(sent + 1).addAllEvents(batch);
        sent += batch.size();
      }
      call.write(request.build());
    }
    call.halfClose();
    return null;
  }

  @Override
  public void close() {
    sender.shutdownNow();
    call.cancel("the connection breaks", null); // of no effect on a call that has ended
  }

  private void take(PublishEventsResponse response, Consumer<String> stop) {
    switch (response.getMessageCase()) {
      case ACK -> take(response.getAck());
      case CANCEL -> stop.accept(response.getCancel().getReason());
      default -> {} // of a newer server
    }
  }

  private void take(EventAck ack) {
    window.release((int) (ack.getCommittedSequence() - committed));
    committed = ack.getCommittedSequence();
    for (EventRejection one : ack.getRejectionsList()) {
      System.err.printf(
          "event %d is stored, and not applied: %s%n", one.getSequence(), one.getMessage());
    }
  }
}
