//! A build as it goes: its state as of now, then each change.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::sleep;
use tonic::Status;
use uuid::Uuid;

use crate::connection::Connection;
use crate::errors;
use crate::v1::event_service_client::EventServiceClient;
use crate::v1::{TaskState, TaskStatus, WatchBuildRequest, WatchMode};

const UNTIL_IT_STARTS: Duration = Duration::from_millis(100);

/// Follows a build to its end, prints each change, and returns the last status
/// of each task by its id.
///
/// Waits for a build that has not started, and goes on where it was when the
/// watch breaks: each response has a cursor, up to which all was delivered.
pub async fn task_statuses(
    mut client: EventServiceClient<Connection>,
    build_id: Uuid,
) -> Result<BTreeMap<String, String>, Status> {
    let mut watch = Watch::default();
    while let Err(status) = watch.follow(&mut client, build_id).await {
        let delay = match errors::reason(&status).as_deref() {
            Some("BUILD_NOT_FOUND") => Some(UNTIL_IT_STARTS),
            _ => errors::retry_delay(&status),
        };
        sleep(delay.ok_or(status)?).await;
    }
    Ok(watch.statuses)
}

#[derive(Default)]
struct Watch {
    cursor: String,
    statuses: BTreeMap<String, String>,
}

impl Watch {
    async fn follow(
        &mut self,
        client: &mut EventServiceClient<Connection>,
        build_id: Uuid,
    ) -> Result<(), Status> {
        let request = WatchBuildRequest {
            build_id: build_id.to_string(),
            mode: WatchMode::State.into(),
            cursor: self.cursor.clone(),
            heartbeat_interval: None,
        };
        let mut responses = client.watch_build(request).await?.into_inner();
        while let Some(response) = responses.message().await? {
            for state in response.task_states {
                let status = status_name(&state);
                println!("{} {} {status}", state.task_id, state.name);
                self.statuses.insert(state.task_id, status);
            }
            self.cursor = response.cursor;
        }
        Ok(())
    }
}

/// Returns the name of a status, such as COMPLETED, or the number of one that a
/// newer server sends.
fn status_name(state: &TaskState) -> String {
    match TaskStatus::try_from(state.status) {
        Ok(status) => status.as_str_name().trim_start_matches("TASK_STATUS_").into(),
        Err(unknown) => unknown.0.to_string(),
    }
}
