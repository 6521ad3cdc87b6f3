package dev.stardag.example;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class IdentityTest {
  @Test
  void anIdIsThatOfThePublishedVectors() throws Exception {
    var vectors = Cases.read(Path.of("../cases.json")).identityVectors();
    assertFalse(vectors.isEmpty());
    for (var vector : vectors) {
      assertEquals(vector.taskId(), Identity.taskId(vector.identityJson()), vector.identityJson());
    }
  }

  @Test
  void aBlankMoreIsAnotherTask() {
    assertNotEquals(Identity.taskId("{\"a\":1}"), Identity.taskId("{\"a\": 1}"));
  }
}
