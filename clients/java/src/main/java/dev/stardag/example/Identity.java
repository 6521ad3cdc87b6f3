package dev.stardag.example;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.UUID;

/** What a task is called: the hash of what it is. */
final class Identity {
  private static final UUID NAMESPACE = UUID.fromString("9ca26b27-f7ee-4044-8b3c-e335dc5778dc");

  /**
   * Returns the id of the task that has this identity JSON: its UUIDv5, of the text as it is, to
   * the byte. Never parse it and write it again.
   */
  static UUID taskId(String identityJson) {
    MessageDigest sha1 = sha1();
    sha1.update(bytes(NAMESPACE));
    ByteBuffer hash = ByteBuffer.wrap(sha1.digest(identityJson.getBytes(StandardCharsets.UTF_8)));
    long high = hash.getLong() & ~0xf000L | 0x5000L; // version 5
    long low = hash.getLong() & ~(0b11L << 62) | 0b10L << 62; // variant of RFC 9562
    return new UUID(high, low);
  }

  /** Returns the 16 bytes of an id, as events have it. */
  static byte[] bytes(UUID id) {
    return ByteBuffer.allocate(16)
        .putLong(id.getMostSignificantBits())
        .putLong(id.getLeastSignificantBits())
        .array();
  }

  private static MessageDigest sha1() {
    try {
      return MessageDigest.getInstance("SHA-1");
    } catch (NoSuchAlgorithmException error) {
      throw new IllegalStateException("every Java has SHA-1", error);
    }
  }

  private Identity() {}
}
