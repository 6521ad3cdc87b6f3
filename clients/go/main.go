// Command run publishes a build to Stardag's tracking service, watches it live, and reads it back.
//
// It knows nothing of Stardag but the contract in proto/. It takes the service's address and a
// credential from STARDAG_SERVER and STARDAG_TOKEN, the authorities that it trusts from
// STARDAG_CA_FILE if that is set, and the build from a file. Its last line is a JSON object that
// says what it saw.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	stardagv1 "stardag.dev/clients/go/gen/stardag/v1"
)

const patience = time.Minute

// summary is the program's last line.
type summary struct {
	Language        string            `json:"language"`
	IdentityOK      bool              `json:"identity_ok"`
	EventsAcked     uint64            `json:"events_acked"`
	WatchedStatuses map[string]string `json:"watched_statuses"`
	ListedBuilds    []string          `json:"listed_builds"`
	PagedTaskIDs    []string          `json:"paged_task_ids"`
	ErrorReason     string            `json:"error_reason"`
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "run:", text(err))
		os.Exit(1)
	}
}

func run(args []string) error {
	server, token := os.Getenv("STARDAG_SERVER"), os.Getenv("STARDAG_TOKEN")
	if len(args) != 1 || server == "" || token == "" {
		return errors.New("usage: STARDAG_SERVER=address STARDAG_TOKEN=token run CASES_JSON")
	}
	cases, err := readCases(args[0])
	if err != nil {
		return err
	}
	conn, err := connect(server, token, os.Getenv("STARDAG_CA_FILE"))
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()

	sum := summary{Language: "go", IdentityOK: identitiesAgree(cases.IdentityVectors)}
	if err := publishWatched(ctx, stardagv1.NewEventServiceClient(conn), cases.Build, &sum); err != nil {
		return err
	}
	if err := readBack(ctx, stardagv1.NewBuildServiceClient(conn), cases.Build, &sum); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(sum)
}

// publishWatched performs the build and publishes what happens, while another call watches it.
func publishWatched(ctx context.Context, client stardagv1.EventServiceClient, build build, sum *summary) error {
	outbox := newOutbox()
	stop := make(chan string, 1)
	cancelled := func(notice *stardagv1.CancelNotice) {
		select {
		case stop <- notice.Reason:
		default: // It is told again after each reconnect.
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer outbox.close()
		return perform(ctx, build, outbox.add, stop)
	})
	group.Go(func() (err error) {
		sum.EventsAcked, err = producer{client, build.StreamID, outbox, cancelled}.publish(ctx)
		return err
	})
	group.Go(func() (err error) {
		sum.WatchedStatuses, err = watchStatuses(ctx, client, build.ID.String())
		return err
	})
	return group.Wait()
}

// watchStatuses prints each change of a build until it has ended, and returns where its tasks
// stand.
func watchStatuses(ctx context.Context, client stardagv1.EventServiceClient, buildID string) (map[string]string, error) {
	statuses := make(map[string]string)
	err := watchBuild(ctx, client, buildID, func(response *stardagv1.WatchBuildResponse) {
		if response.Build != nil {
			fmt.Println("build", response.Build.BuildId, response.Build.Status)
		}
		for _, state := range response.TaskStates {
			statuses[state.TaskId] = strings.TrimPrefix(state.Status.String(), "TASK_STATUS_")
			fmt.Println("task", state.TaskId, state.Name, statuses[state.TaskId])
		}
	})
	return statuses, err
}

func readBack(ctx context.Context, client stardagv1.BuildServiceClient, build build, sum *summary) error {
	for found, err := range listBuilds(ctx, client, filterFor(build)) {
		if err != nil {
			return err
		}
		sum.ListedBuilds = append(sum.ListedBuilds, found.BuildId)
	}
	for state, err := range listTaskStates(ctx, client, build.ID.String(), 2) {
		if err != nil {
			return err
		}
		sum.PagedTaskIDs = append(sum.PagedTaskIDs, state.TaskId)
	}
	_, err := client.GetBuild(ctx, &stardagv1.GetBuildRequest{BuildId: uuid.NewString()})
	sum.ErrorReason = reason(err)
	return nil
}
