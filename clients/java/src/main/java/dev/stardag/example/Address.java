package dev.stardag.example;

import java.net.URI;
import java.net.URISyntaxException;

/** Where a server is, and whether the way there is encrypted. */
record Address(String hostAndPort, boolean tls) {
  private static final int DEFAULT_PORT = 7465;
  private static final int HTTPS_PORT = 443;

  /**
   * Reads {@code host}, {@code host:port}, {@code http://host:port} or {@code https://host:port}.
   *
   * <p>Without a scheme, this machine is called in plain text, and any other by TLS. Plain text to
   * another machine would show the token to the network, and is refused with an {@link
   * IllegalArgumentException}, as what is no address.
   */
  static Address parse(String text) {
    URI uri = uri(text.contains("://") ? text : "//" + text);
    String host = uri.getHost();
    if (host == null || uri.getUserInfo() != null || !uri.getPath().matches("/?")) {
      throw new IllegalArgumentException(
          "STARDAG_SERVER is \"" + text + "\", and not of the form https://host:port");
    }
    String scheme = uri.getScheme();
    if (scheme != null && !scheme.matches("https?")) {
      throw new IllegalArgumentException(
          "STARDAG_SERVER has the scheme \"" + scheme + "\"; use https://");
    }
    boolean tls = scheme == null ? !isLoopback(host) : scheme.equals("https");
    int defaultPort = "https".equals(scheme) ? HTTPS_PORT : DEFAULT_PORT;
    String hostAndPort = host + ":" + (uri.getPort() < 0 ? defaultPort : uri.getPort());
    if (!tls && !isLoopback(host)) {
      throw new IllegalArgumentException(
          "the token would go to " + hostAndPort + " unencrypted; use https://");
    }
    return new Address(hostAndPort, tls);
  }

  private static URI uri(String text) {
    try {
      return new URI(text);
    } catch (URISyntaxException error) {
      throw new IllegalArgumentException("STARDAG_SERVER is wrong: " + error.getMessage(), error);
    }
  }

  private static boolean isLoopback(String host) {
    return host.matches("localhost|127(\\.\\d{1,3}){3}|\\[::1]");
  }
}
