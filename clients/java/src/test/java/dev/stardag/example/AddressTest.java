package dev.stardag.example;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class AddressTest {
  @Test
  void anAddressIsReadAsTheSdkDoes() throws Exception {
    var addresses = Cases.read(Path.of("../cases.json")).addresses();
    assertFalse(addresses.isEmpty());
    for (var known : addresses) {
      assertEquals(new Address(known.hostAndPort(), known.tls()), Address.parse(known.text()));
    }
  }

  @Test
  void noAddressMaySendTheTokenInPlainTextOverANetwork() {
    for (var text : List.of("http://192.0.2.1:7465", "http://stardag.example.com")) {
      assertTrue(refusal(text).contains("unencrypted"), text);
    }
  }

  @Test
  void whatIsNoAddressIsRefused() {
    for (var text :
        List.of("", "localhost/there", "user@localhost", "localhost:port", "ftp://localhost")) {
      assertTrue(refusal(text).contains("STARDAG_SERVER"), text);
    }
  }

  private static String refusal(String text) {
    return assertThrows(IllegalArgumentException.class, () -> Address.parse(text)).getMessage();
  }
}
