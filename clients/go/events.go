package main

import (
	"context"
	"time"

	stardagv1 "stardag.dev/clients/go/gen/stardag/v1"
)

const clientName = "stardag-example-go/1"

// The contract gives a meaning only to differences between the monotonic times of a stream.
var startOfProgram = time.Now()

// perform stands in for a program that runs the tasks of a build: it takes the time that they would,
// and reports what happens when it does. Asked to stop, it ends the build early.
func perform(ctx context.Context, build build, report func(*stardagv1.NewEvent), stop <-chan string) error {
	report(started(build))
	for _, task := range build.Tasks {
		report(defined(build, task))
	}
	for _, task := range build.Tasks {
		report(attempt(build, task, stardagv1.EventType_EVENT_TYPE_TASK_STARTED))
		select {
		case <-time.After(task.duration()):
			report(finished(build, task))
		case reason := <-stop:
			report(attempt(build, task, stardagv1.EventType_EVENT_TYPE_TASK_CANCELLED))
			report(ended(build, stardagv1.EventType_EVENT_TYPE_BUILD_CANCELLED, reason))
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if build.failed() {
		report(ended(build, stardagv1.EventType_EVENT_TYPE_BUILD_FAILED, "a task failed"))
	} else {
		report(buildEvent(build, stardagv1.EventType_EVENT_TYPE_BUILD_COMPLETED))
	}
	return nil
}

func started(build build) *stardagv1.NewEvent {
	event := buildEvent(build, stardagv1.EventType_EVENT_TYPE_BUILD_STARTED)
	event.Detail = &stardagv1.NewEvent_BuildStart{BuildStart: &stardagv1.BuildStart{
		RootTaskIds: build.rootTaskIDs(),
		Name:        build.Name,
		Description: build.Description,
		Labels:      build.Labels,
		Client:      clientName,
	}}
	return event
}

func ended(build build, how stardagv1.EventType, reason string) *stardagv1.NewEvent {
	event := buildEvent(build, how)
	event.Detail = &stardagv1.NewEvent_BuildEnd{BuildEnd: &stardagv1.BuildEnd{Reason: reason}}
	return event
}

// defined says what a task is, which the first event that names it must.
func defined(build build, task task) *stardagv1.NewEvent {
	event := taskEvent(build, task, stardagv1.EventType_EVENT_TYPE_TASK_PENDING)
	event.Detail = &stardagv1.NewEvent_Definition{Definition: &stardagv1.TaskDefinition{
		Namespace:     task.Namespace,
		Name:          task.Name,
		Version:       task.Version,
		IdentityJson:  task.IdentityJSON,
		ParamsJson:    task.ParamsJSON,
		DependencyIds: task.DependencyIDs,
		OutputUri:     task.OutputURI,
	}}
	return event
}

func finished(build build, task task) *stardagv1.NewEvent {
	event := attempt(build, task, stardagv1.EventType_EVENT_TYPE_TASK_COMPLETED)
	if task.Failure != nil {
		event.Type = stardagv1.EventType_EVENT_TYPE_TASK_FAILED
		event.Detail = &stardagv1.NewEvent_Failure{Failure: &stardagv1.TaskFailure{
			Kind:       task.Failure.Kind,
			Message:    task.Failure.Message,
			StackTrace: task.Failure.StackTrace,
		}}
	}
	return event
}

// attempt says what became of the only attempt at a task.
func attempt(build build, task task, kind stardagv1.EventType) *stardagv1.NewEvent {
	event := taskEvent(build, task, kind)
	event.Attempt = 1
	return event
}

func taskEvent(build build, task task, kind stardagv1.EventType) *stardagv1.NewEvent {
	event := buildEvent(build, kind)
	event.TaskId = task.ID[:]
	return event
}

func buildEvent(build build, kind stardagv1.EventType) *stardagv1.NewEvent {
	return &stardagv1.NewEvent{
		BuildId:     build.ID[:],
		Type:        kind,
		EventTimeUs: time.Now().UnixMicro(),
		MonotonicUs: time.Since(startOfProgram).Microseconds(),
	}
}
