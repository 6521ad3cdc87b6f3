//! The way to the server, and the credential that each call has.

use anyhow::Context as _;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status};

use crate::address::{self, Address};

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

/// Prepares to call a server; the first call connects, and so does one after the connection
/// broke. With TLS, the server is trusted by the authorities in the file `authorities`, or
/// those of the system if there is none.
pub fn connect(server: &str, token: &str, authorities: Option<&str>) -> anyhow::Result<Connection> {
    let mut bearer: MetadataValue<_> = format!("Bearer {token}").parse()?;
    bearer.set_sensitive(true); // never shown by Debug
    let Address { host_and_port, tls } = address::parse(server)?;
    let endpoint = if tls {
        Endpoint::from_shared(format!("https://{host_and_port}"))?
            .tls_config(trust(authorities)?)?
    } else {
        Endpoint::from_shared(format!("http://{host_and_port}"))?
    };
    Ok(InterceptedService::new(endpoint.connect_lazy(), Credential(bearer)))
}

fn trust(authorities: Option<&str>) -> anyhow::Result<ClientTlsConfig> {
    let Some(file) = authorities else {
        return Ok(ClientTlsConfig::new().with_native_roots());
    };
    let pem = std::fs::read(file).with_context(|| format!("STARDAG_CA_FILE: {file}"))?;
    Ok(ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)))
}
