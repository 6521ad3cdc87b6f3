//! What a failed call says to a program: act on code and reason, never on the message.

use std::error::Error as _;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::StatusExt;

const DOMAIN: &str = "stardag.dev";
const DEFAULT_DELAY: Duration = Duration::from_millis(200);

/// Returns the reason in the error's details, such as BUILD_NOT_FOUND, if the
/// service itself refused the call.
pub fn reason(status: &Status) -> Option<String> {
    let info = status.get_details_error_info()?;
    (info.domain == DOMAIN).then_some(info.reason)
}

/// Returns how long to wait before the same call is worth trying again, if it is.
pub fn retry_delay(status: &Status) -> Option<Duration> {
    let told = status.get_details_retry_info().and_then(|info| info.retry_delay);
    match status.code() {
        Code::Unavailable => Some(told.unwrap_or(DEFAULT_DELAY)),
        Code::ResourceExhausted => told,
        // So tonic calls a connection that broke: with an error of this side, not the server's.
        Code::Unknown if status.source().is_some() => Some(DEFAULT_DELAY),
        _ => None,
    }
}

/// Returns what a person should know of a failure, in one line.
pub fn text(error: &anyhow::Error) -> String {
    match error.downcast_ref::<Status>() {
        Some(status) => {
            let reason = reason(status).map(|reason| format!(" ({reason})")).unwrap_or_default();
            format!("{:?}{reason}: {}", status.code(), status.message())
        }
        None => format!("{error:#}"),
    }
}
