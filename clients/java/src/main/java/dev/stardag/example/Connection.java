package dev.stardag.example;

import static io.grpc.Metadata.ASCII_STRING_MARSHALLER;

import io.grpc.Channel;
import io.grpc.ChannelCredentials;
import io.grpc.ClientInterceptors;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.TlsChannelCredentials;
import io.grpc.stub.MetadataUtils;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The way to the server, with the credential that each call has. */
final class Connection implements AutoCloseable {
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", ASCII_STRING_MARSHALLER);

  private final ManagedChannel channel;
  private final Metadata headers = new Metadata();

  /**
   * With this, gRPC itself makes a call again that no server was there for. Streams it leaves to
   * those who know where to go on, because it does not repeat a call that was answered in part.
   */
  private static final Map<String, ?> RETRIES =
      Map.of(
          "methodConfig",
          List.of(
              Map.of(
                  "name", List.of(Map.of()),
                  "retryPolicy",
                      Map.of(
                          "maxAttempts",
                          5.0,
                          "initialBackoff",
                          "0.2s",
                          "maxBackoff",
                          "3s",
                          "backoffMultiplier",
                          2.0,
                          "retryableStatusCodes",
                          List.of("UNAVAILABLE")))));

  /**
   * Connects to a server. With TLS, it is trusted by the authorities in a file, or those of Java
   * itself. Throws {@link IllegalArgumentException} if the address is wrong.
   */
  Connection(String server, String token, Optional<Path> authorities) throws IOException {
    Address address = Address.parse(server);
    channel =
        Grpc.newChannelBuilder(address.hostAndPort(), credentials(address, authorities))
            .defaultServiceConfig(RETRIES)
            .build();
    headers.put(AUTHORIZATION, "Bearer " + token);
  }

  private static ChannelCredentials credentials(Address address, Optional<Path> authorities)
      throws IOException {
    if (!address.tls()) {
      return InsecureChannelCredentials.create();
    }
    return authorities.isPresent()
        ? TlsChannelCredentials.newBuilder().trustManager(authorities.get().toFile()).build()
        : TlsChannelCredentials.create();
  }

  /** What every service's stub is made of. */
  Channel channel() {
    return ClientInterceptors.intercept(
        channel, MetadataUtils.newAttachHeadersInterceptor(headers));
  }

  @Override
  public void close() {
    channel.shutdownNow();
  }
}
