package main

import (
	"time"

	stardagv1 "stardag.dev/clients/go/gen/stardag/v1"
)

const clientName = "stardag-example-go/1"

// The contract gives a meaning only to differences between the monotonic times of a stream.
var startOfProgram = time.Now()

// eventsOf returns what the producer of a build reports, in order: that it started, what each task
// is, what became of each, and how the build ended. A program that runs tasks makes each event at
// the moment it happens, for its times are those of its making.
func eventsOf(build build) []*stardagv1.NewEvent {
	events := []*stardagv1.NewEvent{started(build)}
	for _, task := range build.Tasks {
		events = append(events, defined(build, task))
	}
	for _, task := range build.Tasks {
		start := taskEvent(build, task, stardagv1.EventType_EVENT_TYPE_TASK_STARTED)
		start.Attempt = 1
		events = append(events, start, finished(build, task))
	}
	return append(events, ended(build))
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

func ended(build build) *stardagv1.NewEvent {
	if !build.failed() {
		return buildEvent(build, stardagv1.EventType_EVENT_TYPE_BUILD_COMPLETED)
	}
	event := buildEvent(build, stardagv1.EventType_EVENT_TYPE_BUILD_FAILED)
	event.Detail = &stardagv1.NewEvent_BuildEnd{BuildEnd: &stardagv1.BuildEnd{Reason: "a task failed"}}
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
	event := taskEvent(build, task, stardagv1.EventType_EVENT_TYPE_TASK_COMPLETED)
	event.Attempt = 1
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
