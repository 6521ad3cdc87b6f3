package main

import "github.com/google/uuid"

var taskNamespace = uuid.MustParse("9ca26b27-f7ee-4044-8b3c-e335dc5778dc")

// taskID returns the id of the task with this identity JSON. The text is hashed as it is, to the
// byte: it must never be parsed and written again on the way.
func taskID(identityJSON string) uuid.UUID {
	return uuid.NewSHA1(taskNamespace, []byte(identityJSON))
}

func identitiesAgree(vectors []identityVector) bool {
	for _, vector := range vectors {
		if taskID(vector.IdentityJSON) != vector.TaskID {
			return false
		}
	}
	return len(vectors) > 0
}
