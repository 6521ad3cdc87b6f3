//! Events in: each is stored once, whatever becomes of connections.

use std::time::Duration;

use tokio::sync::mpsc;
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

/// What was just sent is likely to leave the machine in this time.
const ON_THE_WAY: Duration = Duration::from_millis(50);

pub type Client = EventServiceClient<Connection>;

/// Publishes the events of a stream, numbered from 1, and returns how many are
/// committed. What the server has already is not sent again; after a failure
/// that is worth it, the stream is opened anew and goes on where it was.
pub async fn publish(
    client: &mut Client,
    stream_id: Uuid,
    events: &[NewEvent],
) -> Result<u64, Status> {
    loop {
        let result = publish_once(client, stream_id, events).await;
        match result.as_ref().err().and_then(errors::retry_delay) {
            Some(delay) => sleep(delay).await,
            None => return result,
        }
    }
}

async fn publish_once(
    client: &mut Client,
    stream_id: Uuid,
    events: &[NewEvent],
) -> Result<u64, Status> {
    let mut stream = EventStream::open(client, stream_id).await?;
    stream.send(events).await?;
    stream.finish().await
}

/// Sends events and breaks the connection without waiting for acknowledgements,
/// so that nobody here knows how many of them arrived.
pub async fn send_and_break(
    client: &mut Client,
    stream_id: Uuid,
    events: &[NewEvent],
) -> Result<(), Status> {
    let mut stream = EventStream::open(client, stream_id).await?;
    stream.send(events).await?;
    sleep(ON_THE_WAY).await;
    drop(stream); // without `finish`, the call is reset
    Ok(())
}

/// One connection of a stream of events.
struct EventStream {
    requests: mpsc::Sender<PublishEventsRequest>,
    acks: Acks,
    limits: EventStreamOpened,
}

impl EventStream {
    async fn open(client: &mut Client, stream_id: Uuid) -> Result<Self, Status> {
        let (requests, outgoing) = mpsc::channel(4);
        let open = OpenEventStream { stream_id: stream_id.to_string(), ..Default::default() };
        let first = PublishEventsRequest { open: Some(open), ..Default::default() };
        requests.try_send(first).expect("an empty channel has room");
        let mut responses =
            client.publish_events(ReceiverStream::new(outgoing)).await?.into_inner();
        let opened = responses.message().await?.and_then(|response| response.message);
        let Some(Message::Opened(limits)) = opened else {
            return Err(Status::internal("the server did not open the stream"));
        };
        println!("stream {stream_id} goes on after event {}", limits.committed_sequence);
        let acks = Acks { responses, committed: limits.committed_sequence };
        Ok(Self { requests, acks, limits })
    }

    /// Sends those of the stream's events that are not committed; waits only
    /// when as many are under way as may be.
    async fn send(&mut self, events: &[NewEvent]) -> Result<(), Status> {
        let mut sent = self.acks.committed as usize;
        while sent < events.len() {
            let batch = batch(&events[sent..], &self.limits).to_vec();
            let (first_sequence, last) = (sent as u64 + 1, (sent + batch.len()) as u64);
            while last > self.acks.committed + u64::from(self.limits.max_unacked_events) {
                if !self.acks.next().await? {
                    return Err(Status::internal("the server ended the stream early"));
                }
            }
            let request = PublishEventsRequest { open: None, first_sequence, events: batch };
            if self.requests.send(request).await.is_err() {
                break; // The call has ended, and its responses tell why.
            }
            sent = last as usize;
        }
        Ok(())
    }

    /// Half-closes, waits until all is acknowledged, and returns how much that is.
    async fn finish(self) -> Result<u64, Status> {
        drop(self.requests);
        let mut acks = self.acks;
        while acks.next().await? {}
        Ok(acks.committed)
    }
}

/// What the server says on the stream.
struct Acks {
    responses: Streaming<PublishEventsResponse>,
    /// Everything up to this number is durable, and visible to reads.
    committed: u64,
}

impl Acks {
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
                // A program that runs tasks now ends the build, as CANCELLED.
                eprintln!("build {} was asked to stop: {}", notice.build_id, notice.reason);
            }
            _ => {} // of a newer server
        }
        Ok(true)
    }
}
