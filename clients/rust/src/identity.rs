//! What a task is called: the hash of what it is.

use uuid::{Uuid, uuid};

const NAMESPACE: Uuid = uuid!("9ca26b27-f7ee-4044-8b3c-e335dc5778dc");

/// Returns the id of the task that has this identity JSON, hashed as it is, to
/// the byte: never parse it and write it again.
pub fn task_id(identity_json: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, identity_json.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::Cases;

    #[test]
    fn an_id_is_that_of_the_published_vectors() {
        let vectors = Cases::read("../cases.json").unwrap().identity_vectors;
        assert!(!vectors.is_empty());
        for vector in vectors {
            assert_eq!(task_id(&vector.identity_json), vector.task_id, "{}", vector.identity_json);
        }
    }

    #[test]
    fn a_blank_more_is_another_task() {
        assert_ne!(task_id(r#"{"a":1}"#), task_id(r#"{"a": 1}"#));
    }
}
