package dev.stardag.example;

import com.google.gson.FieldNamingPolicy;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonParseException;
import java.io.IOException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.stream.Collectors;

/** The build to publish, and the ids to check: the file that the program is given. */
record Cases(Build build, List<IdentityVector> identityVectors, List<AddressCase> addresses) {

  record IdentityVector(String identityJson, UUID taskId) {}

  /** An address as it is written, and what it means; for the tests alone. */
  record AddressCase(String text, String hostAndPort, boolean tls) {}

  /** Whether the ids are what this program makes of the texts. */
  boolean identitiesHold() {
    return identityVectors.stream()
        .allMatch(vector -> Identity.taskId(vector.identityJson).equals(vector.taskId));
  }

  record Build(
      UUID id,
      UUID streamId,
      String name,
      String description,
      Map<String, String> labels,
      List<Task> tasks) {

    /** The tasks the build was asked for: those that no other depends on. */
    List<UUID> rootTaskIds() {
      Set<UUID> upstream =
          tasks.stream().flatMap(task -> task.dependencyIds().stream()).collect(Collectors.toSet());
      return tasks.stream().map(Task::taskId).filter(id -> !upstream.contains(id)).toList();
    }

    boolean failed() {
      return tasks.stream().anyMatch(Task::failed);
    }
  }

  /** A task, and what became of it: {@code outcome} is "completed" or "failed". */
  record Task(
      String namespace,
      String name,
      String version,
      String identityJson,
      String paramsJson,
      UUID taskId,
      List<UUID> dependencyIds,
      String outputUri,
      double durationS,
      String outcome,
      Failure failure) {

    Duration duration() {
      return Duration.ofMillis(Math.round(durationS * 1000));
    }

    boolean failed() {
      return outcome.equals("failed");
    }
  }

  record Failure(String kind, String message, String stackTrace) {}

  /** Reads the file; an {@link IOException} or {@link JsonParseException} says what is wrong. */
  static Cases read(Path path) throws IOException {
    var gson =
        new GsonBuilder()
            .setFieldNamingPolicy(FieldNamingPolicy.LOWER_CASE_WITH_UNDERSCORES)
            .create();
    try (Reader reader = Files.newBufferedReader(path)) {
      return gson.fromJson(reader, Cases.class);
    }
  }
}
