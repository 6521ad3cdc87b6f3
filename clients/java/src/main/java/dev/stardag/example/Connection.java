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

/** The way to the server, with the credential that each call has. */
final class Connection implements AutoCloseable {
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", ASCII_STRING_MARSHALLER);

  private final ManagedChannel channel;
  private final Metadata headers = new Metadata();

  /**
   * Connects to {@code host:port}: by TLS, unless it is this machine itself, so that no token goes
   * over a network in plain text.
   */
  Connection(String server, String token) {
    ChannelCredentials credentials =
        isLoopback(server) ? InsecureChannelCredentials.create() : TlsChannelCredentials.create();
    channel = Grpc.newChannelBuilder(server, credentials).build();
    headers.put(AUTHORIZATION, "Bearer " + token);
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

  static boolean isLoopback(String server) {
    return server.matches("(localhost|127(\\.\\d{1,3}){3}|\\[::1])(:\\d+)?");
  }
}
