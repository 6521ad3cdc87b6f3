package dev.stardag.example;

import com.google.gson.JsonPrimitive;
import dev.stardag.v1.Build;
import dev.stardag.v1.BuildServiceGrpc.BuildServiceBlockingV2Stub;
import dev.stardag.v1.GetBuildRequest;
import dev.stardag.v1.ListBuildsRequest;
import dev.stardag.v1.ListBuildsResponse;
import dev.stardag.v1.ListTaskStatesRequest;
import dev.stardag.v1.ListTaskStatesResponse;
import dev.stardag.v1.TaskState;
import io.grpc.StatusException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.StringJoiner;
import java.util.UUID;

/** Reading what the server knows: filters, pages, deadlines and errors. */
final class Queries {
  /** The deadline that the contract advises for reads. */
  private static final Duration DEADLINE = Duration.ofSeconds(10);

  private final BuildServiceBlockingV2Stub stub;

  Queries(BuildServiceBlockingV2Stub stub) {
    this.stub = stub;
  }

  /** Returns the filter for the runs of a build, by its name and labels. */
  static String filter(Cases.Build build) {
    var terms = new StringJoiner(" AND ");
    terms.add("name = " + quoted(build.name()));
    for (var label : build.labels().entrySet()) {
      terms.add("labels." + quoted(label.getKey()) + " = " + quoted(label.getValue()));
    }
    return terms.toString();
  }

  /** Texts in filters are escaped as in JSON. */
  private static String quoted(String text) {
    return new JsonPrimitive(text).toString();
  }

  /** Returns the ids of all builds that match, the one heard of last first. */
  List<String> buildIds(String filter) throws StatusException, InterruptedException {
    var ids = new ArrayList<String>();
    var request = ListBuildsRequest.newBuilder().setFilter(filter);
    do {
      ListBuildsResponse page = reading().listBuilds(request.build());
      page.getBuildsList().stream().map(Build::getBuildId).forEach(ids::add);
      request.setPageToken(page.getNextPageToken());
    } while (!request.getPageToken().isEmpty());
    return ids;
  }

  /** Returns the ids of a build's tasks, in the order in which they entered it. */
  List<String> taskIds(UUID buildId, int pageSize) throws StatusException, InterruptedException {
    var ids = new ArrayList<String>();
    var request =
        ListTaskStatesRequest.newBuilder().setBuildId(buildId.toString()).setPageSize(pageSize);
    do {
      ListTaskStatesResponse page = reading().listTaskStates(request.build());
      page.getTaskStatesList().stream().map(TaskState::getTaskId).forEach(ids::add);
      request.setPageToken(page.getNextPageToken());
    } while (!request.getPageToken().isEmpty());
    return ids;
  }

  /** Asks for a build that there is not, and returns the reason of the refusal. */
  Optional<String> reasonForUnknownBuild() throws InterruptedException {
    var request = GetBuildRequest.newBuilder().setBuildId(new UUID(0, 0).toString()).build();
    try {
      reading().getBuild(request);
      return Optional.empty();
    } catch (StatusException error) {
      return Errors.reason(error);
    }
  }

  private BuildServiceBlockingV2Stub reading() {
    return stub.withDeadlineAfter(DEADLINE);
  }
}
