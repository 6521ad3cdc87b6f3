package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/google/uuid"
)

// cases is what the program is given: a build to publish, and ids to check. Its tests also read
// addresses from there.
type cases struct {
	Build           build            `json:"build"`
	IdentityVectors []identityVector `json:"identity_vectors"`
	Addresses       []addressCase    `json:"addresses"`
}

type addressCase struct {
	Text        string `json:"text"`
	HostAndPort string `json:"host_and_port"`
	TLS         bool   `json:"tls"`
}

type identityVector struct {
	IdentityJSON string    `json:"identity_json"`
	TaskID       uuid.UUID `json:"task_id"`
}

type build struct {
	ID          uuid.UUID         `json:"id"`
	StreamID    uuid.UUID         `json:"stream_id"`
	Name        string            `json:"name"`
	Description string            `json:"description"`
	Labels      map[string]string `json:"labels"`
	Tasks       []task            `json:"tasks"`
}

type task struct {
	ID            uuid.UUID `json:"task_id"`
	Namespace     string    `json:"namespace"`
	Name          string    `json:"name"`
	Version       string    `json:"version"`
	IdentityJSON  string    `json:"identity_json"`
	ParamsJSON    string    `json:"params_json"`
	DependencyIDs []string  `json:"dependency_ids"`
	OutputURI     string    `json:"output_uri"`
	DurationS     float64   `json:"duration_s"`
	// Failure is nil for a task that completed.
	Failure *failure `json:"failure"`
}

type failure struct {
	Kind       string `json:"kind"`
	Message    string `json:"message"`
	StackTrace string `json:"stack_trace"`
}

func readCases(path string) (cases, error) {
	var read cases
	text, err := os.ReadFile(path)
	if err != nil {
		return read, err
	}
	if err := json.Unmarshal(text, &read); err != nil {
		return read, fmt.Errorf("%s: %w", path, err)
	}
	return read, nil
}

func (t task) duration() time.Duration {
	return time.Duration(t.DurationS * float64(time.Second))
}

// rootTaskIDs returns the tasks that the build was asked for: those no other depends on.
func (b build) rootTaskIDs() []string {
	upstream := make(map[string]bool)
	for _, task := range b.Tasks {
		for _, id := range task.DependencyIDs {
			upstream[id] = true
		}
	}
	var roots []string
	for _, task := range b.Tasks {
		if id := task.ID.String(); !upstream[id] {
			roots = append(roots, id)
		}
	}
	return roots
}

func (b build) failed() bool {
	for _, task := range b.Tasks {
		if task.Failure != nil {
			return true
		}
	}
	return false
}
