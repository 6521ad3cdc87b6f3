package main

import (
	"context"
	"errors"
	"io"
	"log"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	stardagv1 "stardag.dev/clients/go/gen/stardag/v1"
)

// producer publishes the events of one stream.
type producer struct {
	client   stardagv1.EventServiceClient
	streamID uuid.UUID
	outbox   *outbox
	// cancelled is called when somebody asks a build of the stream to stop, perhaps repeatedly.
	cancelled func(*stardagv1.CancelNotice)
}

// publish delivers the events of the outbox until that is closed, and returns how many are committed.
// What the server has already is not sent again. After a failure that is worth it, the stream is
// opened anew, and goes on after what was committed.
func (p producer) publish(ctx context.Context) (uint64, error) {
	for {
		committed, err := p.connect(ctx)
		delay, again := retryDelay(err)
		if !again {
			return committed, err
		}
		log.Println("the stream broke, and is opened anew:", text(err))
		if err := pause(ctx, delay); err != nil {
			return committed, err
		}
	}
}

// connect opens a connection, sends the events over it, and returns how much is committed when the
// server has nothing more to say.
//
// Sending and receiving go on at the same time: acknowledgements that nobody reads would in the end
// keep the server from reading events.
func (p producer) connect(ctx context.Context) (committed uint64, err error) {
	group, ctx := errgroup.WithContext(ctx)
	stream, err := p.open(ctx)
	if err != nil {
		return 0, err
	}
	group.Go(func() error { return stream.send(ctx, p.outbox) })
	group.Go(func() (err error) {
		committed, err = stream.receive(p.cancelled)
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

// send sends those events that were not committed when the stream was opened, and those that come,
// until the outbox is closed; a heartbeat where none come, by which the server knows that the
// producer lives.
func (s *eventStream) send(ctx context.Context, outbox *outbox) error {
	interval := s.opened.HeartbeatInterval.AsDuration() / 2
	sent := s.opened.CommittedSequence
	for {
		events, last, changed := outbox.after(sent)
		if len(events) == 0 && last {
			return s.call.CloseSend()
		}
		request := &stardagv1.PublishEventsRequest{}
		if len(events) > 0 {
			request.FirstSequence = sent + 1
			request.Events = firstBatch(events, s.opened)
		} else {
			select {
			case <-changed:
				continue
			case <-time.After(interval):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err := s.window.Acquire(ctx, int64(len(request.Events))); err != nil {
			return err
		}
		err := s.call.Send(request)
		if errors.Is(err, io.EOF) {
			return nil // The server ended the call; receive returns why.
		} else if err != nil {
			return err
		}
		sent += uint64(len(request.Events))
	}
}

// receive reads acknowledgements until the server has nothing more to say, and returns how much is
// committed then. Kinds of messages that it does not know it ignores, as the contract asks.
func (s *eventStream) receive(cancelled func(*stardagv1.CancelNotice)) (committed uint64, err error) {
	committed = s.opened.CommittedSequence
	for {
		response, err := s.call.Recv()
		if errors.Is(err, io.EOF) {
			return committed, nil
		} else if err != nil {
			return committed, err
		}
		if notice := response.GetCancel(); notice != nil {
			cancelled(notice)
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
