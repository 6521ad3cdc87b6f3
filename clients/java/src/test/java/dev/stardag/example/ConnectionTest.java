package dev.stardag.example;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;

class ConnectionTest {
  @Test
  void aTokenGoesInPlainTextToThisMachineAlone() {
    for (var here : List.of("localhost:1", "127.0.0.1:1", "127.8.9.1:1", "[::1]:1")) {
      assertTrue(Connection.isLoopback(here), here);
    }
    for (var away : List.of("10.0.0.1:1", "127.example.org:1", "localhost.org:1", "[::2]:1")) {
      assertFalse(Connection.isLoopback(away), away);
    }
  }
}
