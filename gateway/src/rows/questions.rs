//! Questions under way: of many requests that want the same row at once, one asks the database and the others wait for its
//! answer. A film that goes viral is one question every two seconds, not one per viewer.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use reelgate_common::{
    db::FileWithRenditions,
    ids::{FileId, OrgId},
};
use tokio::sync::watch;

type Key = (OrgId, FileId);

/// What those who wait are told.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    Row(Option<Arc<FileWithRenditions>>),
    /// The database did not answer: each asks for itself, at the same time, so that their waits do not add up.
    Failed,
}

#[derive(Default)]
pub(super) struct Questions {
    asked: Mutex<HashMap<Key, watch::Receiver<Option<Answer>>>>,
}

/// What to do about a row that is not held.
pub(super) enum Turn<'a> {
    Ask(Asker<'a>),
    Wait(watch::Receiver<Option<Answer>>),
}

/// Whoever asks. Dropped without an answer, the next one in line asks.
pub(super) struct Asker<'a> {
    questions: &'a Questions,
    key: Key,
    answer: watch::Sender<Option<Answer>>,
}

impl Questions {
    pub(super) fn turn(&self, org: &OrgId, file: FileId) -> Turn<'_> {
        let key = (org.clone(), file);
        let mut asked = self.lock();
        if let Some(waiting) = asked.get(&key).filter(|waiting| waiting.has_changed().is_ok()) {
            return Turn::Wait(waiting.clone());
        }
        let (answer, waiting) = watch::channel(None);
        asked.insert(key.clone(), waiting);
        Turn::Ask(Asker { questions: self, key, answer })
    }

    /// Whoever comes from now on asks anew: an answer under way may be of before.
    pub(super) fn forget(&self, org: &OrgId, file: FileId) {
        self.lock().remove(&(org.clone(), file));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, watch::Receiver<Option<Answer>>>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asker<'_> {
    pub(super) fn tell(self, answer: Answer) {
        // An error says that nobody waits.
        self.answer.send_replace(Some(answer));
    }
}

impl Drop for Asker<'_> {
    fn drop(&mut self) {
        let mut asked = self.questions.lock();
        let mine = asked.get(&self.key).is_some_and(|waiting| waiting.same_channel(&self.answer.subscribe()));
        if mine {
            asked.remove(&self.key);
        }
    }
}

/// The answer, or nothing when whoever asked has left.
pub(super) async fn answer(mut waiting: watch::Receiver<Option<Answer>>) -> Option<Answer> {
    waiting.wait_for(Option::is_some).await.ok().and_then(|answer| answer.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn org() -> OrgId {
        OrgId::new("acme")
    }

    fn asks(questions: &Questions, file: FileId) -> Option<Asker<'_>> {
        match questions.turn(&org(), file) {
            Turn::Ask(asker) => Some(asker),
            Turn::Wait(_) => None,
        }
    }

    fn waits(questions: &Questions, file: FileId) -> watch::Receiver<Option<Answer>> {
        match questions.turn(&org(), file) {
            Turn::Ask(_) => panic!("nobody else asks"),
            Turn::Wait(waiting) => waiting,
        }
    }

    #[tokio::test]
    async fn of_many_one_asks_and_all_are_told() {
        let (questions, file) = (Questions::default(), FileId::new());
        let asker = asks(&questions, file).unwrap();
        let waiting: Vec<_> = (0..1_000).map(|_| waits(&questions, file)).collect();
        assert!(asks(&questions, FileId::new()).is_some(), "another file is another question");
        asker.tell(Answer::Row(None));
        for one in waiting {
            assert!(matches!(answer(one).await, Some(Answer::Row(None))));
        }
        assert!(asks(&questions, file).is_some(), "an answer is given once");
    }

    #[tokio::test]
    async fn one_who_leaves_hands_the_question_on() {
        let (questions, file) = (Questions::default(), FileId::new());
        let asker = asks(&questions, file).unwrap();
        let waiting = waits(&questions, file);
        drop(asker);
        assert!(answer(waiting).await.is_none());
        assert!(asks(&questions, file).is_some());
    }

    #[test]
    fn after_a_change_nobody_waits_for_an_answer_of_before() {
        let (questions, file) = (Questions::default(), FileId::new());
        let before = asks(&questions, file).unwrap();
        questions.forget(&org(), file);
        let after = asks(&questions, file).unwrap();
        drop(before);
        assert!(asks(&questions, file).is_none(), "the older one's end does not end the newer one");
        drop(after);
    }
}
