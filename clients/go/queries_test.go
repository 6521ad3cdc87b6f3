package main

import (
	"errors"
	"slices"
	"testing"
)

func TestAnEmptyPageIsNotTheEnd(t *testing.T) {
	pages := map[string]struct {
		items []int
		next  string
	}{"": {[]int{1}, "a"}, "a": {nil, "b"}, "b": {[]int{2, 3}, ""}}
	var got []int
	for item, err := range paged(func(token string) ([]int, string, error) {
		return pages[token].items, pages[token].next, nil
	}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, item)
	}
	if !slices.Equal(got, []int{1, 2, 3}) {
		t.Errorf("the pages have %v, want [1 2 3]", got)
	}
}

func TestAFailureEndsThePages(t *testing.T) {
	failure := errors.New("refused")
	var got []error
	for _, err := range paged(func(string) ([]int, string, error) { return nil, "", failure }) {
		got = append(got, err)
	}
	if !slices.Equal(got, []error{failure}) {
		t.Errorf("the pages end with %v, want one failure", got)
	}
}
