package main

import "testing"

func TestIDsAreThoseOfThePublishedVectors(t *testing.T) {
	cases, err := readCases("../cases.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(cases.IdentityVectors) == 0 {
		t.Fatal("there are no vectors")
	}
	for _, vector := range cases.IdentityVectors {
		if got := taskID(vector.IdentityJSON); got != vector.TaskID {
			t.Errorf("taskID(%s) = %s, want %s", vector.IdentityJSON, got, vector.TaskID)
		}
	}
}

func TestABlankMoreIsAnotherTask(t *testing.T) {
	if taskID(`{"a":1}`) == taskID(`{"a": 1}`) {
		t.Error("the text was not hashed as it is")
	}
}
