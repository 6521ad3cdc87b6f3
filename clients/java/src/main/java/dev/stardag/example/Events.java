package dev.stardag.example;

import com.google.protobuf.ByteString;
import dev.stardag.v1.BuildEnd;
import dev.stardag.v1.BuildStart;
import dev.stardag.v1.EventType;
import dev.stardag.v1.NewEvent;
import dev.stardag.v1.TaskDefinition;
import dev.stardag.v1.TaskFailure;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;

/** What a producer reports about a build, as it happens. */
final class Events {
  private static final String CLIENT = "stardag-example-java/0.0.0";

  private final Cases.Build build;
  private final Outbox outbox;

  Events(Cases.Build build, Outbox outbox) {
    this.build = build;
    this.outbox = outbox;
  }

  /**
   * Puts the events of the build into the outbox, in the time that its tasks take, and closes that.
   *
   * <p>It stands in for a program that really runs them. When a reason to stop comes, it ends the
   * build early. Returns nothing.
   */
  Void perform(BlockingQueue<String> stop) throws InterruptedException {
    try (outbox) {
      outbox.add(started());
      build.tasks().forEach(task -> outbox.add(pending(task)));
      for (Cases.Task task : build.tasks()) {
        outbox.add(attempt(task, EventType.EVENT_TYPE_TASK_STARTED).build());
        String reason = stop.poll(task.duration().toMillis(), TimeUnit.MILLISECONDS);
        if (reason != null) {
          outbox.add(attempt(task, EventType.EVENT_TYPE_TASK_CANCELLED).build());
          outbox.add(ended(EventType.EVENT_TYPE_BUILD_CANCELLED, reason));
          return null;
        }
        outbox.add(task.failed() ? failed(task) : completed(task));
      }
      outbox.add(
          build.failed()
              ? ended(EventType.EVENT_TYPE_BUILD_FAILED, "a task failed")
              : event(EventType.EVENT_TYPE_BUILD_COMPLETED).build());
      return null;
    }
  }

  private NewEvent started() {
    var start =
        BuildStart.newBuilder()
            .addAllRootTaskIds(texts(build.rootTaskIds()))
            .setName(build.name())
            .setDescription(build.description())
            .putAllLabels(build.labels())
            .setClient(CLIENT);
    return event(EventType.EVENT_TYPE_BUILD_STARTED).setBuildStart(start).build();
  }

  private NewEvent pending(Cases.Task task) {
    var definition =
        TaskDefinition.newBuilder() // without its id, which the event has
            .setNamespace(task.namespace())
            .setName(task.name())
            .setVersion(task.version())
            .setIdentityJson(task.identityJson())
            .setParamsJson(task.paramsJson())
            .addAllDependencyIds(texts(task.dependencyIds()))
            .setOutputUri(task.outputUri());
    return event(EventType.EVENT_TYPE_TASK_PENDING)
        .setTaskId(bytes(task.taskId()))
        .setDefinition(definition)
        .build();
  }

  private NewEvent completed(Cases.Task task) {
    return attempt(task, EventType.EVENT_TYPE_TASK_COMPLETED).build();
  }

  private NewEvent failed(Cases.Task task) {
    var failure =
        TaskFailure.newBuilder()
            .setKind(task.failure().kind())
            .setMessage(task.failure().message())
            .setStackTrace(task.failure().stackTrace());
    return attempt(task, EventType.EVENT_TYPE_TASK_FAILED).setFailure(failure).build();
  }

  private NewEvent ended(EventType how, String reason) {
    return event(how).setBuildEnd(BuildEnd.newBuilder().setReason(reason)).build();
  }

  private NewEvent.Builder attempt(Cases.Task task, EventType type) {
    return event(type).setTaskId(bytes(task.taskId())).setAttempt(1);
  }

  private NewEvent.Builder event(EventType type) {
    return NewEvent.newBuilder()
        .setBuildId(bytes(build.id()))
        .setType(type)
        .setEventTimeUs(ChronoUnit.MICROS.between(Instant.EPOCH, Instant.now()))
        .setMonotonicUs(TimeUnit.NANOSECONDS.toMicros(System.nanoTime()));
  }

  private static ByteString bytes(UUID id) {
    return ByteString.copyFrom(Identity.bytes(id));
  }

  private static List<String> texts(List<UUID> ids) {
    return ids.stream().map(UUID::toString).toList();
  }
}
