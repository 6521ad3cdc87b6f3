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
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;

/** What a producer reports about a build, in order. */
final class Events {
  private static final String CLIENT = "stardag-example-java/0.0.0";

  private final Cases.Build build;

  private Events(Cases.Build build) {
    this.build = build;
  }

  /**
   * Returns the events of a build: that it started, what each task is, what became of each, and how
   * the build ended.
   *
   * <p>A program that runs tasks makes each event when it happens, as the times are those of its
   * making.
   */
  static List<NewEvent> of(Cases.Build build) {
    var made = new Events(build);
    var events = new ArrayList<NewEvent>();
    events.add(made.started());
    build.tasks().forEach(task -> events.add(made.pending(task)));
    for (Cases.Task task : build.tasks()) {
      events.add(made.attempt(task, EventType.EVENT_TYPE_TASK_STARTED).build());
      events.add(task.failed() ? made.failed(task) : made.completed(task));
    }
    events.add(made.ended());
    return events;
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

  private NewEvent ended() {
    return build.failed()
        ? event(EventType.EVENT_TYPE_BUILD_FAILED)
            .setBuildEnd(BuildEnd.newBuilder().setReason("a task failed"))
            .build()
        : event(EventType.EVENT_TYPE_BUILD_COMPLETED).build();
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
