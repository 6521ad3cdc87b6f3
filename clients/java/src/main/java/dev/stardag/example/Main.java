package dev.stardag.example;

import com.google.gson.GsonBuilder;
import dev.stardag.v1.BuildServiceGrpc;
import dev.stardag.v1.EventServiceGrpc;
import dev.stardag.v1.EventServiceGrpc.EventServiceBlockingV2Stub;
import dev.stardag.v1.NewEvent;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Publishes a build to Stardag's tracking service, watches it, and reads it back. */
final class Main {
  public static void main(String[] arguments) throws Exception {
    if (arguments.length != 1) {
      throw new IllegalArgumentException("usage: run CASES_JSON");
    }
    Cases cases = Cases.read(Path.of(arguments[0]));
    var report = new LinkedHashMap<String, Object>();
    report.put("language", "java");
    report.put("identity_ok", cases.identitiesHold());
    try (var connection = new Connection(variable("STARDAG_SERVER"), variable("STARDAG_TOKEN"))) {
      var events = EventServiceGrpc.newBlockingV2Stub(connection.channel());
      var queries = new Queries(BuildServiceGrpc.newBlockingV2Stub(connection.channel()));
      report.putAll(publishAndWatch(events, cases.build()));
      report.put("listed_builds", queries.buildIds(Queries.filter(cases.build())));
      report.put("paged_task_ids", queries.taskIds(cases.build().id(), 2));
      report.put("error_reason", queries.reasonForUnknownBuild().orElse(null));
    }
    System.out.println(new GsonBuilder().serializeNulls().create().toJson(report));
  }

  /** Publishes the build while another thread watches it. */
  private static Map<String, Object> publishAndWatch(
      EventServiceBlockingV2Stub stub, Cases.Build build) throws Exception {
    var publisher = new Publisher(stub, build.streamId());
    var watch = new Watch(stub, build.id());
    ExecutorService executor = Executors.newSingleThreadExecutor();
    try {
      Future<Map<String, String>> statuses = executor.submit(watch::taskStatuses);
      long acked = publishInTwoConnections(publisher, Events.of(build));
      return Map.of("events_acked", acked, "watched_statuses", statuses.get());
    } finally {
      executor.shutdownNow(); // ends the watch of a build that could not be published
    }
  }

  /**
   * Publishes half of the events on a connection that breaks, and on another one what the server
   * did not commit of all. Returns how many are committed.
   */
  private static long publishInTwoConnections(Publisher publisher, List<NewEvent> events)
      throws Exception {
    publisher.sendAndBreak(events.subList(0, events.size() / 2));
    return publisher.publish(events);
  }

  private static String variable(String name) {
    String value = System.getenv(name);
    if (value == null) {
      throw new IllegalArgumentException(name + " is not in the environment");
    }
    return value;
  }

  private Main() {}
}
