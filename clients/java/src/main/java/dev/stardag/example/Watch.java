package dev.stardag.example;

import dev.stardag.v1.EventServiceGrpc.EventServiceBlockingV2Stub;
import dev.stardag.v1.TaskState;
import dev.stardag.v1.TaskStatus;
import dev.stardag.v1.WatchBuildRequest;
import dev.stardag.v1.WatchBuildResponse;
import dev.stardag.v1.WatchMode;
import io.grpc.StatusException;
import io.grpc.stub.BlockingClientCall;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.UUID;

/**
 * A build as it goes: its state as of now, then each change.
 *
 * <p>Waits for a build that has not started, and goes on where it was when the watch breaks: each
 * response has a cursor, up to which all was delivered.
 */
final class Watch {
  private static final Duration UNTIL_IT_STARTS = Duration.ofMillis(100);

  private final EventServiceBlockingV2Stub stub;
  private final UUID buildId;
  private final Map<String, String> statuses = new TreeMap<>();
  private String cursor = "";

  Watch(EventServiceBlockingV2Stub stub, UUID buildId) {
    this.stub = stub;
    this.buildId = buildId;
  }

  /** Follows the build to its end, and returns the last status of each task by its id. */
  Map<String, String> taskStatuses() throws StatusException, InterruptedException {
    while (true) {
      try {
        follow();
        return statuses;
      } catch (StatusException error) {
        Thread.sleep(delay(error).orElseThrow(() -> error).toMillis());
      }
    }
  }

  private static Optional<Duration> delay(StatusException error) {
    boolean notStarted = Errors.reason(error).filter("BUILD_NOT_FOUND"::equals).isPresent();
    return notStarted ? Optional.of(UNTIL_IT_STARTS) : Errors.retryDelay(error);
  }

  private void follow() throws StatusException, InterruptedException {
    var request =
        WatchBuildRequest.newBuilder()
            .setBuildId(buildId.toString())
            .setMode(WatchMode.WATCH_MODE_STATE)
            .setCursor(cursor)
            .build();
    BlockingClientCall<?, WatchBuildResponse> call = stub.watchBuild(request);
    while (call.hasNext()) {
      WatchBuildResponse response = call.read();
      for (TaskState state : response.getTaskStatesList()) {
        String status = statusName(state);
        System.out.println(state.getTaskId() + " " + state.getName() + " " + status);
        statuses.put(state.getTaskId(), status);
      }
      cursor = response.getCursor();
    }
  }

  /** Returns a name such as COMPLETED, or the number of a status that a newer server sends. */
  private static String statusName(TaskState state) {
    return state.getStatus() == TaskStatus.UNRECOGNIZED
        ? String.valueOf(state.getStatusValue())
        : state.getStatus().name().replaceFirst("^TASK_STATUS_", "");
  }
}
