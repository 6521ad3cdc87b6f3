//! How many events go into one message.

use prost::{Message as _, length_delimiter_len};

use crate::v1::{EventStreamOpened, NewEvent};

const TAG: usize = 1;
const FIRST_SEQUENCE: usize = TAG + 10; // a number at its longest

/// Returns as many of the first events as a message may have by the limits that
/// the server told; at least one, which it refuses if that is too large.
pub fn batch<'a>(events: &'a [NewEvent], limits: &EventStreamOpened) -> &'a [NewEvent] {
    let mut bytes = FIRST_SEQUENCE;
    let fit = events.iter().take(limits.max_batch_events as usize).take_while(|event| {
        let length = event.encoded_len();
        bytes += TAG + length_delimiter_len(length) + length;
        bytes <= limits.max_batch_bytes as usize
    });
    &events[..fit.count().max(1)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1::PublishEventsRequest;

    fn events() -> Vec<NewEvent> {
        vec![NewEvent { build_id: vec![0; 16], ..Default::default() }; 50]
    }

    fn limits(max_batch_bytes: u32, max_batch_events: u32) -> EventStreamOpened {
        EventStreamOpened { max_batch_bytes, max_batch_events, ..Default::default() }
    }

    #[test]
    fn a_message_is_never_over_the_limit_of_bytes() {
        for bytes in 64..800 {
            let events = batch(&events(), &limits(bytes, 10_000)).to_vec();
            let request = PublishEventsRequest { open: None, first_sequence: u64::MAX, events };
            assert!(request.encoded_len() <= bytes as usize, "limit of {bytes}");
        }
    }

    #[test]
    fn a_message_is_never_over_the_limit_of_events() {
        assert_eq!(batch(&events(), &limits(1 << 20, 7)).len(), 7);
    }

    #[test]
    fn an_event_that_is_too_large_goes_alone() {
        assert_eq!(batch(&events(), &limits(1, 7)).len(), 1);
    }
}
