//! Publishes a build to Stardag's tracking service, watches it, and reads it back.

mod address;
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
use std::process::ExitCode;

use anyhow::Context as _;
use cases::Cases;
use publish::Producer;
use serde_json::json;
use tokio::sync::mpsc;
use v1::build_service_client::BuildServiceClient;
use v1::event_service_client::EventServiceClient;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("run: {}", errors::text(&error));
            ExitCode::FAILURE
        }
    }
}

async fn run() -> anyhow::Result<()> {
    let path = env::args().nth(1).context("usage: run CASES_JSON")?;
    let cases = Cases::read(&path)?;
    let identity_ok = cases
        .identity_vectors
        .iter()
        .all(|vector| identity::task_id(&vector.identity_json) == vector.task_id);
    let build = cases.build;

    let authorities = env::var("STARDAG_CA_FILE").ok();
    let connection = connection::connect(
        &variable("STARDAG_SERVER")?,
        &variable("STARDAG_TOKEN")?,
        authorities.as_deref(),
    )?;
    let builds = BuildServiceClient::new(connection.clone());
    let event_service = EventServiceClient::new(connection);

    let (outbox, events) = tokio::sync::watch::channel(Vec::new());
    let (stop, stopped) = mpsc::unbounded_channel();
    let producer = Producer { client: event_service.clone(), stream_id: build.stream_id, stop };
    let (events_acked, watched_statuses, ()) = tokio::try_join!(
        producer.publish(events),
        watch::task_statuses(event_service, build.id),
        async {
            events::perform(&build, outbox, stopped).await;
            Ok(())
        },
    )?;

    let report = json!({
        "language": "rust",
        "identity_ok": identity_ok,
        "events_acked": events_acked,
        "watched_statuses": watched_statuses,
        "listed_builds": queries::build_ids(&builds, &queries::filter(&build)).await?,
        "paged_task_ids": queries::task_ids(&builds, build.id, 2).await?,
        "error_reason": queries::reason_for_unknown_build(&builds).await?,
    });
    println!("{report}");
    Ok(())
}

fn variable(name: &str) -> anyhow::Result<String> {
    env::var(name).with_context(|| format!("{name} is to be in the environment"))
}
