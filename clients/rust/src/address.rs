//! Where a server is, and whether the way there is encrypted.

use std::net::IpAddr;

use anyhow::{Context as _, bail, ensure};

const DEFAULT_PORT: u16 = 7465;
const HTTPS_PORT: u16 = 443;

#[derive(Debug, PartialEq)]
pub struct Address {
    pub host_and_port: String,
    pub tls: bool,
}

/// Reads `host`, `host:port`, `http://host:port` or `https://host:port`.
///
/// Without a scheme, this machine is called in plain text, and any other by
/// TLS. Plain text to another machine would show the token to the network, and
/// is refused.
pub fn parse(text: &str) -> anyhow::Result<Address> {
    let (scheme, rest) = text.split_once("://").map_or((None, text), |(one, two)| (Some(one), two));
    let rest = rest.trim_end_matches('/');
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (rest, None),
    };
    ensure!(
        !host.is_empty() && !host.contains(['/', '@']),
        "STARDAG_SERVER is {text:?}, and not of the form https://host:port"
    );
    let (tls, default_port) = match scheme {
        None => (!is_loopback(host), DEFAULT_PORT),
        Some("http") => (false, DEFAULT_PORT),
        Some("https") => (true, HTTPS_PORT),
        Some(scheme) => bail!("STARDAG_SERVER has the scheme {scheme:?}; use https://"),
    };
    let port = match port {
        Some(port) => {
            port.parse().with_context(|| format!("STARDAG_SERVER has the port {port}"))?
        }
        None => default_port,
    };
    let host_and_port = format!("{host}:{port}");
    ensure!(
        tls || is_loopback(host),
        "the token would go to {host_and_port} unencrypted; use https://"
    );
    Ok(Address { host_and_port, tls })
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::Cases;

    #[test]
    fn an_address_is_read_as_the_sdk_does() {
        let addresses = Cases::read("../cases.json").unwrap().addresses;
        assert!(!addresses.is_empty());
        for case in addresses {
            let wanted = Address { host_and_port: case.host_and_port, tls: case.tls };
            assert_eq!(parse(&case.text).unwrap(), wanted);
        }
    }

    #[test]
    fn no_address_may_send_the_token_in_plain_text_over_a_network() {
        for text in ["http://192.0.2.1:7465", "http://stardag.example.com"] {
            assert!(parse(text).unwrap_err().to_string().contains("unencrypted"), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "localhost/there", "user@localhost", "localhost:port", "ftp://localhost"] {
            assert!(parse(text).unwrap_err().to_string().contains("STARDAG_SERVER"), "{text}");
        }
    }
}
