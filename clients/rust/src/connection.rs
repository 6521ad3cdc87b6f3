//! The way to the server, and the credential that each call has.

use std::net::IpAddr;

use anyhow::Context as _;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status};

/// What every service's stub is made of; cheap to clone.
pub type Connection = InterceptedService<Channel, Credential>;

/// Adds `authorization: Bearer <token>` to each call.
#[derive(Clone)]
pub struct Credential(MetadataValue<Ascii>);

impl Interceptor for Credential {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// Connects to `host:port`: by TLS, unless it is this machine itself, so that
/// no token goes over a network in plain text.
pub async fn connect(server: &str, token: &str) -> anyhow::Result<Connection> {
    let mut bearer: MetadataValue<_> = format!("Bearer {token}").parse()?;
    bearer.set_sensitive(true); // never shown by Debug
    let endpoint = if is_loopback(server) {
        Endpoint::from_shared(format!("http://{server}"))?
    } else {
        let tls = ClientTlsConfig::new().with_native_roots();
        Endpoint::from_shared(format!("https://{server}"))?.tls_config(tls)?
    };
    let channel = endpoint.connect().await.with_context(|| format!("connecting to {server}"))?;
    Ok(InterceptedService::new(channel, Credential(bearer)))
}

fn is_loopback(server: &str) -> bool {
    let host = server.rsplit_once(':').map_or(server, |(host, _port)| host);
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_in_plain_text_to_this_machine_alone() {
        assert!(
            ["localhost:1", "127.0.0.1:1", "127.8.9.1:1", "[::1]:1"].into_iter().all(is_loopback)
        );
        assert!(
            !["10.0.0.1:1", "127.example.org:1", "localhost.org:1", "[::2]:1"]
                .into_iter()
                .any(is_loopback)
        );
    }
}
