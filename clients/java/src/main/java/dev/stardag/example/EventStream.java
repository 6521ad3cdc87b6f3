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
import java.util.List;
import java.util.UUID;

/** One connection of a stream of events. Closing it breaks it, unless it was finished. */
final class EventStream implements AutoCloseable {
  private final BlockingClientCall<PublishEventsRequest, PublishEventsResponse> call;
  private final EventStreamOpened limits;

  /** Everything up to this number is durable, and visible to reads. */
  private long committed;

  EventStream(EventServiceBlockingV2Stub stub, UUID streamId)
      throws StatusException, InterruptedException {
    call = stub.publishEvents();
    var open = OpenEventStream.newBuilder().setStreamId(streamId.toString());
    call.write(PublishEventsRequest.newBuilder().setOpen(open).build());
    PublishEventsResponse response = call.read();
    if (response == null || !response.hasOpened()) {
      call.cancel("not opened", null);
      throw Status.INTERNAL.withDescription("the server did not open the stream").asException();
    }
    limits = response.getOpened();
    committed = limits.getCommittedSequence();
    System.out.println("stream " + streamId + " goes on after event " + committed);
  }

  /**
   * Sends those of the stream's events that are not committed; waits only when as many are under
   * way as may be.
   */
  void send(List<NewEvent> events) throws StatusException, InterruptedException {
    int sent = (int) committed;
    while (sent < events.size()) {
      List<NewEvent> batch = Batch.of(events.subList(sent, events.size()), limits);
      while (sent + batch.size() > committed + limits.getMaxUnackedEvents()) {
        if (!take(call.read())) {
          throw Status.INTERNAL.withDescription("the server ended the stream early").asException();
        }
      }
      call.write(
          PublishEventsRequest.newBuilder().setFirstSequence(sent + 1).addAllEvents(batch).build());
      sent += batch.size();
    }
  }

  /** Half-closes, waits until all is acknowledged, and returns how much that is. */
  long finish() throws StatusException, InterruptedException {
    call.halfClose();
    while (take(call.read())) {}
    return committed;
  }

  @Override
  public void close() {
    call.cancel("the connection breaks", null); // of no effect on a call that has ended
  }

  /** Takes in what the server says; returns false for null, with which its stream ends. */
  private boolean take(PublishEventsResponse response) {
    if (response == null) {
      return false;
    }
    switch (response.getMessageCase()) {
      case ACK -> take(response.getAck());
      case CANCEL ->
          // A program that runs tasks now ends the build, as CANCELLED.
          System.err.printf(
              "build %s was asked to stop: %s%n",
              response.getCancel().getBuildId(), response.getCancel().getReason());
      default -> {} // of a newer server
    }
    return true;
  }

  private void take(EventAck ack) {
    committed = ack.getCommittedSequence();
    for (EventRejection one : ack.getRejectionsList()) {
      System.err.printf(
          "event %d is stored, and not applied: %s%n", one.getSequence(), one.getMessage());
    }
  }
}
