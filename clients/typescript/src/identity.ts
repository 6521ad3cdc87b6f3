import { v5 } from "uuid";

const TASK_NAMESPACE = "9ca26b27-f7ee-4044-8b3c-e335dc5778dc";

/**
 * Returns the id of the task with this identity JSON. The text is hashed as it is, to the byte: it
 * must never be parsed and written again on the way, which would change numbers above 2^53.
 */
export function taskId(identityJson: string): string {
  return v5(identityJson, TASK_NAMESPACE);
}
