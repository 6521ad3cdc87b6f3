package main

import (
	"context"
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"strings"

	stardagv1 "stardag.dev/clients/go/gen/stardag/v1"
)

// filterFor returns the filter that finds builds with this one's name and labels.
func filterFor(build build) string {
	terms := []string{"name = " + quoted(build.Name)}
	for _, key := range slices.Sorted(maps.Keys(build.Labels)) {
		terms = append(terms, "labels."+quoted(key)+" = "+quoted(build.Labels[key]))
	}
	return strings.Join(terms, " AND ")
}

// quoted returns a text as filters have it: with the escapes of JSON.
func quoted(text string) string {
	literal, err := json.Marshal(text)
	if err != nil {
		panic(err) // A string always has a JSON form.
	}
	return string(literal)
}

// listBuilds yields the builds that match a filter, those heard of last first.
func listBuilds(
	ctx context.Context, client stardagv1.BuildServiceClient, filter string,
) iter.Seq2[*stardagv1.Build, error] {
	return paged(func(token string) ([]*stardagv1.Build, string, error) {
		page, err := client.ListBuilds(ctx, &stardagv1.ListBuildsRequest{Filter: filter, PageToken: token})
		return page.GetBuilds(), page.GetNextPageToken(), err
	})
}

// listTaskStates yields the state of each task of a build, in the order in which they entered it.
func listTaskStates(
	ctx context.Context, client stardagv1.BuildServiceClient, buildID string, pageSize int32,
) iter.Seq2[*stardagv1.TaskState, error] {
	return paged(func(token string) ([]*stardagv1.TaskState, string, error) {
		request := &stardagv1.ListTaskStatesRequest{BuildId: buildID, PageSize: pageSize, PageToken: token}
		page, err := client.ListTaskStates(ctx, request)
		return page.GetTaskStates(), page.GetNextPageToken(), err
	})
}

// paged yields the items of all pages. It asks for a page when its items are wanted, and yields a
// failure last. A page may be empty: only an empty token means the end.
func paged[Item any](fetch func(token string) (items []Item, next string, err error)) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		token := ""
		for {
			items, next, err := fetch(token)
			if err != nil {
				var none Item
				yield(none, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			token = next
		}
	}
}
