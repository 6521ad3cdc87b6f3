package dev.stardag.example;

import com.google.gson.GsonBuilder;
import dev.stardag.v1.BuildServiceGrpc;
import dev.stardag.v1.EventServiceGrpc;
import dev.stardag.v1.EventServiceGrpc.EventServiceBlockingV2Stub;
import io.grpc.StatusException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;

/** Publishes a build to Stardag's tracking service, watches it, and reads it back. */
final class Main {
  public static void main(String[] arguments) throws InterruptedException {
    try {
      run(arguments);
    } catch (StatusException error) {
      fail(Errors.text(error));
    } catch (IllegalArgumentException | IOException error) {
      fail(error.getMessage());
    }
  }

  private static void fail(String why) {
    System.err.println("run: " + why);
    System.exit(1);
  }

  private static void run(String[] arguments)
      throws IOException, StatusException, InterruptedException {
    if (arguments.length != 1) {
      throw new IllegalArgumentException("usage: run CASES_JSON");
    }
    Cases cases = Cases.read(Path.of(arguments[0]));
    var report = new LinkedHashMap<String, Object>();
    report.put("language", "java");
    report.put("identity_ok", cases.identitiesHold());
    Optional<Path> authorities = variable("STARDAG_CA_FILE").map(Path::of);
    try (var connection =
        new Connection(needed("STARDAG_SERVER"), needed("STARDAG_TOKEN"), authorities)) {
      var events = EventServiceGrpc.newBlockingV2Stub(connection.channel());
      var queries = new Queries(BuildServiceGrpc.newBlockingV2Stub(connection.channel()));
      report.putAll(publishAndWatch(events, cases.build()));
      report.put("listed_builds", queries.buildIds(Queries.filter(cases.build())));
      report.put("paged_task_ids", queries.taskIds(cases.build().id(), 2));
      report.put("error_reason", queries.reasonForUnknownBuild().orElse(null));
    }
    System.out.println(new GsonBuilder().serializeNulls().create().toJson(report));
  }

  /** Performs the build, while other threads publish what happens and watch it. */
  private static Map<String, Object> publishAndWatch(
      EventServiceBlockingV2Stub stub, Cases.Build build)
      throws StatusException, InterruptedException {
    var stop = new LinkedBlockingQueue<String>();
    var outbox = new Outbox();
    var publisher = new Publisher(stub, build.streamId(), outbox, stop::add);
    ExecutorService executor = Executors.newFixedThreadPool(3);
    try {
      Future<Long> acked = executor.submit(publisher::publish);
      Future<Map<String, String>> statuses =
          executor.submit(new Watch(stub, build.id())::taskStatuses);
      executor.submit(() -> new Events(build, outbox).perform(stop));
      return Map.of("events_acked", result(acked), "watched_statuses", result(statuses));
    } finally {
      executor.shutdownNow(); // ends the others if one of them failed
    }
  }

  private static <T> T result(Future<T> future) throws StatusException, InterruptedException {
    try {
      return future.get();
    } catch (ExecutionException error) {
      if (error.getCause() instanceof StatusException failure) {
        throw failure;
      }
      throw new IllegalStateException(error.getCause());
    }
  }

  private static String needed(String name) {
    return variable(name)
        .orElseThrow(() -> new IllegalArgumentException(name + " is not in the environment"));
  }

  private static Optional<String> variable(String name) {
    return Optional.ofNullable(System.getenv(name));
  }

  private Main() {}
}
