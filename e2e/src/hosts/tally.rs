//! What clients asked for and how it was answered, and the judgement of it: an answer is wrong unless it is a success, or a refusal that
//! what is away just now explains.

use std::collections::BTreeMap;

use anyhow::Result;
use http::header::RETRY_AFTER;

use super::cast::Service;
use crate::client::Answer;

/// What a client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Doing {
    Upload,
    List,
    Token,
    /// A piece of a film that the client plays all the time.
    Play,
    /// One answer that goes on and on.
    Watch,
    /// Somebody begins to play what was uploaded not long ago.
    Begin,
    Listen,
    Delete,
}

impl Doing {
    /// What it cannot do without. A play under way can do without everything: its lease and its film are in the gateway's memory.
    fn needs(self) -> &'static [Service] {
        match self {
            Self::Upload | Self::Begin | Self::Delete => &[Service::Postgres, Service::Garage],
            Self::List | Self::Token | Self::Listen => &[Service::Postgres],
            Self::Play | Self::Watch => &[],
        }
    }

    pub(super) fn is_play(self) -> bool {
        matches!(self, Self::Play | Self::Watch | Self::Begin)
    }
}

/// What is away: a service, from one gateway or from all.
#[derive(Debug, Clone, Default)]
pub(super) struct Trouble(pub(super) Vec<(Option<usize>, Service)>);

impl Trouble {
    /// Which services this gateway does without that are needed for this.
    fn lacks(&self, doing: Doing, gateway: usize) -> impl Iterator<Item = Service> {
        let lacked = self.0.iter().filter(move |(who, _)| who.is_none_or(|who| who == gateway));
        lacked.map(|(_, service)| *service).filter(move |service| doing.needs().contains(service))
    }

    fn explains(&self, doing: Doing, gateway: usize, code: &str) -> bool {
        self.lacks(doing, gateway).any(|service| match service {
            Service::Redis => false,
            Service::Postgres => code == "database_unavailable",
            Service::Garage => code == "storage_unavailable",
        })
    }

    /// Whether no answer at all is what must be expected.
    pub(super) fn explains_silence(&self, doing: Doing, gateway: usize) -> bool {
        self.lacks(doing, gateway).next().is_some()
    }

    /// Media from the store may also end early, when their first bytes have come already.
    fn explains_a_cut(&self, doing: Doing, gateway: usize) -> bool {
        doing == Doing::Begin && self.lacks(doing, gateway).any(|service| service == Service::Garage)
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    pub(super) asked: usize,
    pub(super) answered: usize,
    /// How often by status and code, those that were cut included.
    pub(super) refused: BTreeMap<String, usize>,
    /// Plays that nothing explains the end of.
    pub(super) plays_broken: usize,
    pub(super) wrong: Vec<String>,
}

impl Tally {
    /// Counts an answer; gives it back if it is a success. `before` and `now` are what was away when it was asked and answered.
    pub(super) fn count(
        &mut self,
        doing: Doing,
        gateway: usize,
        (before, now): (&Trouble, &Trouble),
        answer: Result<Answer>,
    ) -> Option<Answer> {
        self.asked += 1;
        let (said, is_explained) = match answer {
            Ok(answer) if answer.status.is_success() => {
                self.answered += 1;
                return Some(answer);
            }
            Ok(answer) => {
                let code = answer.code();
                let explains = |trouble: &Trouble| trouble.explains(doing, gateway, &code);
                let is_refusal = answer.status == 503 && answer.headers.contains_key(RETRY_AFTER);
                // The repetition of one that was refused, while its gateway still tries to be rid of what came of the first.
                let is_early = doing == Doing::Upload && answer.status == 409 && code == "upload_still_arriving";
                let said = format!("{} {code}", answer.status.as_u16());
                (said, (is_refusal && (explains(before) || explains(now))) || is_early)
            }
            Err(error) => {
                let explains = |trouble: &Trouble| trouble.explains_a_cut(doing, gateway);
                let is_explained = explains(before) || explains(now);
                (if is_explained { "cut".to_owned() } else { format!("{error:#}") }, is_explained)
            }
        };
        *self.refused.entry(said.clone()).or_default() += 1;
        if !is_explained {
            self.wrong(doing, format!("{doing:?} at gateway {}: {said}", gateway + 1));
        }
        None
    }

    pub(super) fn wrong(&mut self, doing: Doing, what: String) {
        self.plays_broken += usize::from(doing.is_play());
        self.wrong.push(what);
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::*;

    fn refusal(code: &str) -> Answer {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, "1".parse().expect("a number"))]);
        let body = serde_json::json!({"code": code}).to_string().into();
        Answer { status: StatusCode::SERVICE_UNAVAILABLE, headers, body }
    }

    fn is_wrong(doing: Doing, gateway: usize, trouble: &Trouble, answer: Result<Answer>) -> bool {
        let mut tally = Tally::default();
        tally.count(doing, gateway, (trouble, &Trouble::default()), answer);
        !tally.wrong.is_empty()
    }

    #[test]
    fn a_refusal_is_explained_by_what_its_own_gateway_lacks() {
        let trouble = Trouble(vec![(Some(0), Service::Postgres)]);
        assert!(!is_wrong(Doing::List, 0, &trouble, Ok(refusal("database_unavailable"))));
        assert!(is_wrong(Doing::List, 1, &trouble, Ok(refusal("database_unavailable"))));
        assert!(is_wrong(Doing::List, 0, &trouble, Ok(refusal("storage_unavailable"))));
        assert!(is_wrong(Doing::Play, 0, &trouble, Ok(refusal("database_unavailable"))));
        let hasty = Answer { headers: HeaderMap::new(), ..refusal("database_unavailable") };
        assert!(is_wrong(Doing::List, 0, &trouble, Ok(hasty)));
    }

    #[test]
    fn only_what_is_read_from_the_store_may_be_cut_and_only_without_it() {
        let trouble = Trouble(vec![(None, Service::Garage)]);
        let cut = || Err(anyhow::anyhow!("cut"));
        assert!(!is_wrong(Doing::Begin, 1, &trouble, cut()));
        assert!(is_wrong(Doing::Watch, 1, &trouble, cut()));
        assert!(is_wrong(Doing::Upload, 1, &trouble, cut()));
        assert!(is_wrong(Doing::Begin, 1, &Trouble(vec![(None, Service::Redis)]), cut()));
    }
}
