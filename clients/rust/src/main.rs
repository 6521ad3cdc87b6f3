//! Publishes a build to Stardag's tracking service, watches it, and reads it back.

mod batch;
mod cases;
mod connection;
mod errors;
mod events;
mod identity;
mod publish;
mod queries;
mod watch;

/// The messages and stubs of the contract, as they are generated.
mod v1 {
    tonic::include_proto!("stardag.v1");
}

use std::env;

use anyhow::Context as _;
use cases::Cases;
use serde_json::json;
use v1::build_service_client::BuildServiceClient;
use v1::event_service_client::EventServiceClient;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let path = env::args().nth(1).context("usage: run CASES_JSON")?;
    let Cases { build, identity_vectors } = Cases::read(&path)?;
    let identity_ok = identity_vectors
        .iter()
        .all(|vector| identity::task_id(&vector.identity_json) == vector.task_id);

    let connection =
        connection::connect(&variable("STARDAG_SERVER")?, &variable("STARDAG_TOKEN")?).await?;
    let mut builds = BuildServiceClient::new(connection.clone());
    let event_service = EventServiceClient::new(connection);

    let events = events::of(&build);
    let (events_acked, watched_statuses) = tokio::try_join!(
        publish_in_two_connections(event_service.clone(), build.stream_id, &events),
        watch::task_statuses(event_service, build.id),
    )?;

    let report = json!({
        "language": "rust",
        "identity_ok": identity_ok,
        "events_acked": events_acked,
        "watched_statuses": watched_statuses,
        "listed_builds": queries::build_ids(&mut builds, &queries::filter(&build)).await?,
        "paged_task_ids": queries::task_ids(&mut builds, build.id, 2).await?,
        "error_reason": queries::reason_for_unknown_build(&mut builds).await?,
    });
    println!("{report}");
    Ok(())
}

fn variable(name: &str) -> anyhow::Result<String> {
    env::var(name).with_context(|| format!("{name} is to be in the environment"))
}

/// Publishes half of the events on a connection that breaks, and on another one
/// what the server did not commit of all.
async fn publish_in_two_connections(
    mut client: publish::Client,
    stream_id: uuid::Uuid,
    events: &[v1::NewEvent],
) -> Result<u64, tonic::Status> {
    publish::send_and_break(&mut client, stream_id, &events[..events.len() / 2]).await?;
    publish::publish(&mut client, stream_id, events).await
}
