//! What a producer reports about a build, as it happens.

use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::cases::{Build, Outcome, Task};
use crate::v1::new_event::Detail;
use crate::v1::{BuildEnd, BuildStart, EventType, NewEvent, TaskDefinition, TaskFailure};

const CLIENT: &str = concat!("stardag-example-rust/", env!("CARGO_PKG_VERSION"));

/// Adds the events of a build to its outbox, in the time that its tasks take.
///
/// It stands in for a program that really runs them. When a reason to stop
/// comes, it ends the build early. Dropping the outbox says that no more come.
pub async fn perform(
    build: &Build,
    outbox: watch::Sender<Vec<NewEvent>>,
    mut stop: mpsc::UnboundedReceiver<String>,
) {
    let report = |event| outbox.send_modify(|events| events.push(event));
    report(of_build(build, EventType::BuildStarted, Some(Detail::BuildStart(start(build)))));
    for task in &build.tasks {
        let definition = Detail::Definition(definition(task));
        report(of_task(build, task, EventType::TaskPending, 0, Some(definition)));
    }
    for task in &build.tasks {
        report(of_task(build, task, EventType::TaskStarted, 1, None));
        if let Ok(Some(reason)) = timeout(task.duration(), stop.recv()).await {
            report(of_task(build, task, EventType::TaskCancelled, 1, None));
            report(ended(build, EventType::BuildCancelled, reason));
            return;
        }
        let (end, detail) = outcome(task);
        report(of_task(build, task, end, 1, detail));
    }
    report(if build.failed() {
        ended(build, EventType::BuildFailed, "a task failed".into())
    } else {
        of_build(build, EventType::BuildCompleted, None)
    });
}

fn ended(build: &Build, how: EventType, reason: String) -> NewEvent {
    of_build(build, how, Some(Detail::BuildEnd(BuildEnd { reason })))
}

fn of_build(build: &Build, kind: EventType, detail: Option<Detail>) -> NewEvent {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    NewEvent {
        build_id: build.id.as_bytes().to_vec(),
        r#type: kind.into(),
        event_time_us: since_epoch.as_micros() as i64,
        monotonic_us: CLOCK.elapsed().as_micros() as i64,
        detail,
        ..Default::default()
    }
}

/// Only differences of a stream's monotonic times mean something, so any zero will do.
static CLOCK: LazyLock<Instant> = LazyLock::new(Instant::now);

fn of_task(
    build: &Build,
    task: &Task,
    kind: EventType,
    attempt: u32,
    detail: Option<Detail>,
) -> NewEvent {
    let task_id = task.task_id.as_bytes().to_vec();
    NewEvent { task_id, attempt, ..of_build(build, kind, detail) }
}

fn start(build: &Build) -> BuildStart {
    BuildStart {
        root_task_ids: build.root_task_ids().iter().map(ToString::to_string).collect(),
        name: build.name.clone(),
        description: build.description.clone(),
        labels: build.labels.clone().into_iter().collect(),
        client: CLIENT.into(),
        ..Default::default()
    }
}

fn definition(task: &Task) -> TaskDefinition {
    TaskDefinition {
        task_id: String::new(), // the event names it
        namespace: task.namespace.clone(),
        name: task.name.clone(),
        version: task.version.clone(),
        identity_json: task.identity_json.clone(),
        params_json: task.params_json.clone(),
        dependency_ids: task.dependency_ids.iter().map(ToString::to_string).collect(),
        output_uri: task.output_uri.clone(),
    }
}

fn outcome(task: &Task) -> (EventType, Option<Detail>) {
    match &task.outcome {
        Outcome::Completed => (EventType::TaskCompleted, None),
        Outcome::Failed { failure } => {
            let detail = Detail::Failure(TaskFailure {
                kind: failure.kind.clone(),
                message: failure.message.clone(),
                stack_trace: failure.stack_trace.clone(),
                ..Default::default()
            });
            (EventType::TaskFailed, Some(detail))
        }
    }
}
