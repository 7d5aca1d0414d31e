//! Text from a child, made fit to be stored and shown: bounded and without control characters.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use reelgate_common::{file::Failure, media_info::Reason};

/// How much of the child's standard error is kept.
const KEPT: usize = 16 * 1024;
const MAX_CODE: usize = 48;
const MAX_MESSAGE: usize = 400;

/// The end of what somebody wrote.
#[derive(Debug, Default)]
pub(crate) struct LastWords(VecDeque<u8>);

impl LastWords {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.0.extend(bytes);
        let surplus = self.0.len().saturating_sub(KEPT);
        self.0.drain(..surplus);
    }

    pub(crate) fn into_text(self) -> String {
        let bytes: Vec<u8> = self.0.into();
        let text = String::from_utf8_lossy(&bytes);
        text.chars().filter(|c| *c == '\n' || !c.is_control()).collect()
    }
}

/// What the tasks of one attempt said last: the end of whoever said something last.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spoken(Arc<Mutex<String>>);

impl Spoken {
    pub(crate) fn heard(&self, words: &str) {
        if !words.trim().is_empty() {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = words.to_owned();
        }
    }

    pub(crate) fn words(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A warning as it may be shown: bounded, and under no code that a child made up.
pub(crate) fn clean_reason(reason: Reason) -> Option<Reason> {
    let known = matches!(reason.code.as_str(), "cut_off" | "video_ends_early" | "damaged");
    let message = reason.message.chars().filter(|c| !c.is_control()).take(MAX_MESSAGE).collect();
    known.then_some(Reason { code: reason.code, message })
}

/// A failure as it may be shown: a child that was taken over chooses no code of its own shape.
pub(crate) fn clean_failure(failure: Failure) -> Failure {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let sound = !failure.code.is_empty() && failure.code.len() <= MAX_CODE && failure.code.chars().all(plain);
    Failure {
        code: if sound { failure.code } else { "task_failed".to_owned() },
        message: failure.message.chars().filter(|c| !c.is_control()).take(MAX_MESSAGE).collect(),
        retryable: failure.retryable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_is_kept() {
        let mut words = LastWords::default();
        words.push(&[b'a'; KEPT]);
        words.push(b"\x1b[31mend\n");
        let text = words.into_text();
        assert!(text.ends_with("[31mend\n"));
        assert!(text.len() <= KEPT);
    }

    #[test]
    fn a_strange_code_is_not_taken_over() {
        let dirty = Failure { code: "<script>".to_owned(), message: "a\nb".repeat(999), retryable: true };
        let clean = clean_failure(dirty);
        assert_eq!(clean.code, "task_failed");
        assert_eq!(clean.message.chars().count(), MAX_MESSAGE);
        assert!(!clean.message.contains('\n'));
    }
}
