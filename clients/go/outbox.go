package main

import (
	"sync"

	stardagv1 "stardag.dev/clients/go/gen/stardag/v1"
)

// outbox has the events of a stream, numbered from 1, as they happen. It keeps them all, in memory,
// so that any may be sent again; a producer whose events are to survive it keeps them on disk.
type outbox struct {
	mutex   sync.Mutex
	events  []*stardagv1.NewEvent
	closed  bool
	changed chan struct{}
}

func newOutbox() *outbox {
	return &outbox{changed: make(chan struct{})}
}

func (o *outbox) add(event *stardagv1.NewEvent) {
	o.change(func() { o.events = append(o.events, event) })
}

// close says that no more events come.
func (o *outbox) close() {
	o.change(func() { o.closed = true })
}

func (o *outbox) change(apply func()) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	apply()
	close(o.changed)
	o.changed = make(chan struct{})
}

// after returns the events after a number, whether those are the last, and what is closed when
// either changes.
func (o *outbox) after(number uint64) (events []*stardagv1.NewEvent, last bool, changed <-chan struct{}) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	number = min(number, uint64(len(o.events)))
	return o.events[number:], o.closed, o.changed
}
