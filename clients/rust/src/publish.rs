//! Events in: each is stored once, whatever becomes of connections.

use std::time::Duration;

use tokio::select;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};
use uuid::Uuid;

use crate::batch::batch;
use crate::connection::Connection;
use crate::errors;
use crate::v1::event_service_client::EventServiceClient;
use crate::v1::publish_events_response::Message;
use crate::v1::{
    EventStreamOpened, NewEvent, OpenEventStream, PublishEventsRequest, PublishEventsResponse,
};

/// The events of a stream, numbered from 1, as they happen; it ends when its
/// sender is dropped.
///
/// It keeps them all, in memory, so that any may be sent again; a producer whose
/// events are to survive it keeps them on disk.
pub type Outbox = watch::Receiver<Vec<NewEvent>>;

/// Publishes the events of one stream.
pub struct Producer {
    pub client: EventServiceClient<Connection>,
    pub stream_id: Uuid,
    /// Is told why, when somebody asks a build of the stream to stop; perhaps repeatedly.
    pub stop: mpsc::UnboundedSender<String>,
}

impl Producer {
    /// Delivers the events of the outbox to its end, and returns how many are
    /// committed. What the server has already is not sent again; after a failure
    /// that is worth it, the stream is opened anew and goes on where it was.
    pub async fn publish(mut self, outbox: Outbox) -> Result<u64, Status> {
        loop {
            let result = self.publish_once(outbox.clone()).await;
            match result.as_ref().map_err(|status| (errors::retry_delay(status), status)) {
                Err((Some(delay), status)) => {
                    eprintln!("the stream broke, and is opened anew: {}", status.message());
                    sleep(delay).await;
                }
                _ => return result,
            }
        }
    }

    /// Delivers over one connection. What is sent follows from what was received,
    /// and acknowledgements are read all the time: those that nobody reads would
    /// in the end keep the server from reading events.
    async fn publish_once(&mut self, mut outbox: Outbox) -> Result<u64, Status> {
        let (requests, mut acks, limits) = self.open().await?;
        let heartbeat = heartbeat_interval(&limits);
        let mut sent = acks.committed as usize;
        let mut open = true;
        loop {
            let room = acks.committed + u64::from(limits.max_unacked_events) - sent as u64;
            let (batch, all) = next_batch(&outbox.borrow_and_update(), sent, room, &limits);
            if all && !open {
                break;
            }
            select! {
                place = requests.reserve(), if !batch.is_empty() => {
                    let Ok(place) = place else {
                        break; // the call has ended, and its responses tell why
                    };
                    let first_sequence = sent as u64 + 1;
                    sent += batch.len();
                    place.send(PublishEventsRequest { open: None, first_sequence, events: batch });
                }
                changed = outbox.changed(), if open && all => open = changed.is_ok(),
                more = acks.next() => if !more? {
                    return Err(Status::internal("the server ended the stream early"));
                },
                () = sleep(heartbeat), if all => {
                    // A full queue is a sign of life itself.
                    let _ = requests.try_send(PublishEventsRequest::default());
                }
            }
        }
        acks.finish(requests).await
    }

    async fn open(
        &mut self,
    ) -> Result<(mpsc::Sender<PublishEventsRequest>, Acks, EventStreamOpened), Status> {
        let (requests, outgoing) = mpsc::channel(4);
        let open = OpenEventStream { stream_id: self.stream_id.to_string(), ..Default::default() };
        let first = PublishEventsRequest { open: Some(open), ..Default::default() };
        requests.try_send(first).expect("an empty channel has room");
        let outgoing = ReceiverStream::new(outgoing);
        let mut responses = self.client.publish_events(outgoing).await?.into_inner();
        let opened = responses.message().await?.and_then(|response| response.message);
        let Some(Message::Opened(limits)) = opened else {
            return Err(Status::internal("the server did not open the stream"));
        };
        println!("stream {} goes on after event {}", self.stream_id, limits.committed_sequence);
        let committed = limits.committed_sequence;
        Ok((requests, Acks { responses, committed, stop: self.stop.clone() }, limits))
    }
}

/// Returns what to send next of all events, and whether all are sent already.
fn next_batch(
    events: &[NewEvent],
    sent: usize,
    room: u64,
    limits: &EventStreamOpened,
) -> (Vec<NewEvent>, bool) {
    let waiting = events.get(sent..).unwrap_or_default();
    let allowed = &waiting[..waiting.len().min(room as usize)];
    let next = if allowed.is_empty() { allowed } else { batch(allowed, limits) };
    (next.to_vec(), waiting.is_empty())
}

fn heartbeat_interval(limits: &EventStreamOpened) -> Duration {
    let agreed = limits.heartbeat_interval.and_then(|interval| interval.try_into().ok());
    agreed.unwrap_or(Duration::from_secs(10)) / 2
}

/// What the server says on the stream.
struct Acks {
    responses: Streaming<PublishEventsResponse>,
    /// Everything up to this number is durable, and visible to reads.
    committed: u64,
    stop: mpsc::UnboundedSender<String>,
}

impl Acks {
    /// Half-closes, waits until all is acknowledged, and returns how much that is.
    async fn finish(mut self, requests: mpsc::Sender<PublishEventsRequest>) -> Result<u64, Status> {
        drop(requests);
        while self.next().await? {}
        Ok(self.committed)
    }

    /// Takes the next response; returns false when there is none any more.
    async fn next(&mut self) -> Result<bool, Status> {
        let Some(response) = self.responses.message().await? else {
            return Ok(false);
        };
        match response.message {
            Some(Message::Ack(ack)) => {
                self.committed = ack.committed_sequence;
                for one in ack.rejections {
                    eprintln!("event {} is stored, and not applied: {}", one.sequence, one.message);
                }
            }
            Some(Message::Cancel(notice)) => {
                // Nobody hears it any more if the build has just ended.
                let _ = self.stop.send(notice.reason);
            }
            _ => {} // of a newer server
        }
        Ok(true)
    }
}
