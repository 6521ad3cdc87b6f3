package main

import (
	"context"
	"errors"
	"io"
	"log"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	stardagv1 "stardag.dev/clients/go/gen/stardag/v1"
)

// producer publishes the events of one stream.
type producer struct {
	client   stardagv1.EventServiceClient
	streamID uuid.UUID
}

// publish delivers the events of the stream, which are numbered from 1, and returns how many are
// committed. What the server has already is not sent again. After a failure that is worth it, the
// stream is opened anew, and goes on after what was committed.
func (p producer) publish(ctx context.Context, events []*stardagv1.NewEvent) (uint64, error) {
	halfClose := func(_ context.Context, stream *eventStream) error { return stream.call.CloseSend() }
	for {
		committed, err := p.connect(ctx, events, halfClose)
		delay, again := retryDelay(err)
		if !again {
			return committed, err
		}
		if err := pause(ctx, delay); err != nil {
			return committed, err
		}
	}
}

// sendAndBreak sends events, and breaks the connection when arrived is closed, whatever was
// acknowledged.
func (p producer) sendAndBreak(ctx context.Context, events []*stardagv1.NewEvent, arrived <-chan struct{}) error {
	broken := errors.New("broken on purpose")
	_, err := p.connect(ctx, events, func(ctx context.Context, _ *eventStream) error {
		select {
		case <-arrived:
			return broken
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	if errors.Is(err, broken) {
		return nil
	}
	return err
}

// connect opens a connection, sends the events over it, and does last, whose error breaks the
// connection. It returns how much is committed when the server has nothing more to say.
//
// Sending and receiving go on at the same time: acknowledgements that nobody reads would in the end
// keep the server from reading events.
func (p producer) connect(
	ctx context.Context, events []*stardagv1.NewEvent, last func(context.Context, *eventStream) error,
) (committed uint64, err error) {
	group, ctx := errgroup.WithContext(ctx)
	stream, err := p.open(ctx)
	if err != nil {
		return 0, err
	}
	group.Go(func() error {
		if err := stream.send(ctx, events); err != nil {
			return err
		}
		return last(ctx, stream)
	})
	group.Go(func() (err error) {
		committed, err = stream.receive()
		return err
	})
	err = group.Wait()
	return committed, err
}

// open opens the stream, or goes on with it.
func (p producer) open(ctx context.Context) (*eventStream, error) {
	call, err := p.client.PublishEvents(ctx)
	if err != nil {
		return nil, err
	}
	open := &stardagv1.OpenEventStream{StreamId: p.streamID.String(), Client: clientName}
	err = call.Send(&stardagv1.PublishEventsRequest{Open: open})
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	for {
		response, err := call.Recv()
		if err != nil {
			return nil, err
		}
		if opened := response.GetOpened(); opened != nil {
			window := semaphore.NewWeighted(int64(opened.MaxUnackedEvents))
			return &eventStream{call, opened, window}, nil
		}
	}
}

// eventStream is one connection of a stream.
type eventStream struct {
	call   stardagv1.EventService_PublishEventsClient
	opened *stardagv1.EventStreamOpened
	// window has room for the events that may be under way without being acknowledged.
	window *semaphore.Weighted
}

// send sends those of all the stream's events that were not committed when it was opened.
func (s *eventStream) send(ctx context.Context, events []*stardagv1.NewEvent) error {
	sent := min(s.opened.CommittedSequence, uint64(len(events)))
	for sent < uint64(len(events)) {
		batch := firstBatch(events[sent:], s.opened)
		if err := s.window.Acquire(ctx, int64(len(batch))); err != nil {
			return err
		}
		err := s.call.Send(&stardagv1.PublishEventsRequest{FirstSequence: sent + 1, Events: batch})
		if errors.Is(err, io.EOF) {
			return nil // The server ended the call; receive returns why.
		} else if err != nil {
			return err
		}
		sent += uint64(len(batch))
	}
	return nil
}

// receive reads acknowledgements until the server has nothing more to say, and returns how much is
// committed then. Kinds of messages that it does not know it ignores, as the contract asks.
func (s *eventStream) receive() (committed uint64, err error) {
	committed = s.opened.CommittedSequence
	for {
		response, err := s.call.Recv()
		if errors.Is(err, io.EOF) {
			return committed, nil
		} else if err != nil {
			return committed, err
		}
		ack := response.GetAck()
		for _, rejection := range ack.GetRejections() {
			log.Printf("event %d is stored as rejected: %s", rejection.Sequence, rejection.Message)
		}
		if newer := ack.GetCommittedSequence(); newer > committed {
			s.window.Release(int64(newer - committed))
			committed = newer
		}
	}
}
