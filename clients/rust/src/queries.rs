//! Reading what the server knows: filters, pages, deadlines and errors.

use std::time::Duration;

use tokio::time::sleep;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::cases::Build;
use crate::connection::Connection;
use crate::errors;
use crate::v1::build_service_client::BuildServiceClient;
use crate::v1::{GetBuildRequest, ListBuildsRequest, ListTaskStatesRequest};

const ATTEMPTS: usize = 5;

type Client = BuildServiceClient<Connection>;

/// Returns the filter for the runs of a build, by its name and labels.
pub fn filter(build: &Build) -> String {
    let mut terms = vec![format!("name = {}", quoted(&build.name))];
    for (key, value) in &build.labels {
        terms.push(format!("labels.{} = {}", quoted(key), quoted(value)));
    }
    terms.join(" AND ")
}

/// Texts in filters are escaped as in JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Returns the ids of all builds that match, the one heard of last first.
pub async fn build_ids(client: &Client, filter: &str) -> Result<Vec<String>, Status> {
    let mut request = ListBuildsRequest { filter: filter.into(), ..Default::default() };
    let mut ids = Vec::new();
    loop {
        let page =
            retried(client, async |mut client| client.list_builds(read(&request)).await).await?;
        ids.extend(page.builds.into_iter().map(|build| build.build_id));
        if page.next_page_token.is_empty() {
            return Ok(ids);
        }
        request.page_token = page.next_page_token;
    }
}

/// Returns the ids of a build's tasks, in the order in which they entered it.
pub async fn task_ids(
    client: &Client,
    build_id: Uuid,
    page_size: i32,
) -> Result<Vec<String>, Status> {
    let build_id = build_id.to_string();
    let mut request = ListTaskStatesRequest { build_id, page_size, ..Default::default() };
    let mut ids = Vec::new();
    loop {
        let page =
            retried(client, async |mut client| client.list_task_states(read(&request)).await)
                .await?;
        ids.extend(page.task_states.into_iter().map(|state| state.task_id));
        if page.next_page_token.is_empty() {
            return Ok(ids);
        }
        request.page_token = page.next_page_token;
    }
}

/// Asks for a build that there is not, and returns the reason of the refusal.
pub async fn reason_for_unknown_build(client: &Client) -> Result<Option<String>, Status> {
    let build_id = Uuid::nil().to_string();
    let request = GetBuildRequest { build_id };
    match retried(client, async |mut client| client.get_build(read(&request)).await).await {
        Ok(_) => Ok(None),
        Err(status) => errors::reason(&status).map(Some).ok_or(status),
    }
}

/// Makes a call, and makes it again a few times if it failed for now.
async fn retried<T>(
    client: &Client,
    call: impl AsyncFn(Client) -> Result<Response<T>, Status>,
) -> Result<T, Status> {
    for _ in 1..ATTEMPTS {
        match call(client.clone()).await {
            Ok(response) => return Ok(response.into_inner()),
            Err(status) => sleep(errors::retry_delay(&status).ok_or(status)?).await,
        }
    }
    call(client.clone()).await.map(Response::into_inner)
}

/// Gives a reading call the deadline that the contract advises.
fn read<T: Clone>(message: &T) -> Request<T> {
    let mut request = Request::new(message.clone());
    request.set_timeout(Duration::from_secs(10));
    request
}
