//! The build to publish, and the ids to check: the file that the program is given.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::BufReader;
use std::time::Duration;

use anyhow::Context as _;
use serde::Deserialize;
use uuid::Uuid;

#[derive(Deserialize)]
pub struct Cases {
    pub build: Build,
    pub identity_vectors: Vec<IdentityVector>,
    #[cfg(test)]
    pub addresses: Vec<Address>,
}

#[cfg(test)]
#[derive(Deserialize)]
pub struct Address {
    pub text: String,
    pub host_and_port: String,
    pub tls: bool,
}

#[derive(Deserialize)]
pub struct IdentityVector {
    pub identity_json: String,
    pub task_id: Uuid,
}

#[derive(Deserialize)]
pub struct Build {
    pub id: Uuid,
    pub stream_id: Uuid,
    pub name: String,
    pub description: String,
    pub labels: BTreeMap<String, String>,
    pub tasks: Vec<Task>,
}

#[derive(Deserialize)]
pub struct Task {
    pub namespace: String,
    pub name: String,
    pub version: String,
    pub identity_json: String,
    pub params_json: String,
    pub task_id: Uuid,
    pub dependency_ids: Vec<Uuid>,
    pub output_uri: String,
    pub duration_s: f64,
    #[serde(flatten)]
    pub outcome: Outcome,
}

#[derive(Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum Outcome {
    Completed,
    Failed { failure: Failure },
}

#[derive(Deserialize)]
pub struct Failure {
    pub kind: String,
    pub message: String,
    pub stack_trace: String,
}

impl Cases {
    pub fn read(path: &str) -> anyhow::Result<Self> {
        let file = File::open(path).with_context(|| path.to_owned())?;
        serde_json::from_reader(BufReader::new(file)).with_context(|| path.to_owned())
    }
}

impl Task {
    pub fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.duration_s)
    }
}

impl Build {
    /// The tasks the build was asked for: those that no other depends on.
    pub fn root_task_ids(&self) -> Vec<Uuid> {
        let upstream: HashSet<_> =
            self.tasks.iter().flat_map(|task| &task.dependency_ids).collect();
        let ids = self.tasks.iter().map(|task| task.task_id);
        ids.filter(|id| !upstream.contains(id)).collect()
    }

    pub fn failed(&self) -> bool {
        self.tasks.iter().any(|task| matches!(task.outcome, Outcome::Failed { .. }))
    }
}
