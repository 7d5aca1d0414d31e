//! Endpoints that an organisation wants to be told its events at, and what was sent to them. Knows no database and no HTTP.

use std::collections::BTreeSet;

use crate::{
    closed_set::closed_set,
    ids::{DeliveryId, FileId, OrgId, WebhookId},
    timestamp::Timestamp,
};

/// The kind of a delivery that somebody has asked for to try an endpoint. No event has it.
pub const TEST_KIND: &str = "webhook.test";

closed_set! {
    /// How far one delivery is; `states::delivery` says what leads where.
    pub enum DeliveryState {
        /// For its time, or for an earlier event of its file.
        Waiting = "waiting",
        Sending = "sending",
        Delivered = "delivered",
        GivenUp = "given_up",
    }
}

impl DeliveryState {
    /// Nothing more happens to it by itself.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Delivered | Self::GivenUp)
    }
}

closed_set! {
    /// Why an attempt has not delivered. What the receiver has said besides its status is nobody's business.
    pub enum Miss {
        AddressForbidden = "address_forbidden",
        NameNotFound = "name_not_found",
        ConnectFailed = "connect_failed",
        ConnectTimeout = "connect_timeout",
        TlsFailed = "tls_failed",
        AnswerTimeout = "answer_timeout",
        AnswerUnreadable = "answer_unreadable",
        Redirected = "redirected",
        BadStatus = "bad_status",
        SecretUnreadable = "secret_unreadable",
    }
}

impl Miss {
    /// A sentence for people.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::AddressForbidden => "The name leads to an address that webhooks may not reach",
            Self::NameNotFound => "The name has no address",
            Self::ConnectFailed => "Nobody took the connection",
            Self::ConnectTimeout => "No connection came about in time",
            Self::TlsFailed => "The receiver's certificate does not hold, or it speaks no TLS",
            Self::AnswerTimeout => "The receiver did not answer in time",
            Self::AnswerUnreadable => "The receiver closed the connection or did not answer in HTTP",
            Self::Redirected => "The receiver sends elsewhere; redirects are not followed",
            Self::BadStatus => "The receiver refused it",
            Self::SecretUnreadable => "The signing secret cannot be read any more; rotate it",
        }
    }
}

closed_set! {
    /// Why an endpoint is told nothing.
    pub enum DisabledReason {
        ByAdmin = "by_admin",
        /// It has only failed, for too long.
        Failing = "failing",
    }
}

/// Which events an endpoint wants: `*`, or kinds by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventFilter {
    All,
    Only(BTreeSet<String>),
}

impl EventFilter {
    /// `["*"]` or the kinds in order, as the API and the database write it.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        match self {
            Self::All => vec!["*".to_owned()],
            Self::Only(kinds) => kinds.iter().cloned().collect(),
        }
    }

    #[must_use]
    pub fn of_words(words: impl IntoIterator<Item = String>) -> Self {
        let kinds: BTreeSet<String> = words.into_iter().collect();
        if kinds.contains("*") { Self::All } else { Self::Only(kinds) }
    }

    #[must_use]
    pub fn wants(&self, kind: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(kinds) => kinds.contains(kind),
        }
    }
}

/// Signing secrets as the database keeps them: sealed with the keyring, for an endpoint (`Keyring::seal`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSecrets {
    pub current: String,
    /// The one before, and until when it signs as well.
    pub old: Option<(String, Timestamp)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    pub id: WebhookId,
    pub org_id: OrgId,
    pub url: String,
    pub description: String,
    pub events: EventFilter,
    pub enabled: bool,
    pub disabled: Option<(DisabledReason, Timestamp)>,
    /// Since when every attempt has failed, and how many have.
    pub failing_since: Option<Timestamp>,
    pub failures: i64,
    pub secrets: SealedSecrets,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What a person says about one to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewWebhook {
    pub id: WebhookId,
    pub org_id: OrgId,
    pub url: String,
    pub description: String,
    pub events: EventFilter,
    /// Sealed.
    pub secret: String,
}

/// What a person changes; `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WebhookChange {
    pub url: Option<String>,
    pub description: Option<String>,
    pub events: Option<EventFilter>,
    pub enabled: Option<bool>,
}

/// One event for one endpoint, or a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub id: DeliveryId,
    pub webhook_id: WebhookId,
    pub org_id: OrgId,
    /// Of the event within its organisation; a test has none.
    pub seq: Option<i64>,
    pub file_id: Option<FileId>,
    pub kind: String,
    /// Exactly what is sent and signed.
    pub body: String,
    pub state: DeliveryState,
    pub attempts: i64,
    /// While it waits: not before this. While it is sent: whose claim it is has it until then.
    pub due_at: Timestamp,
    /// No further attempt after this.
    pub give_up_at: Timestamp,
    pub last: Option<LastAttempt>,
    pub created_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    /// What has made the event (`traceparent`); attempts go on with that.
    pub trace: Option<String>,
}

impl Delivery {
    /// As receivers know the event: its number, or of a test the delivery.
    #[must_use]
    pub fn event_id(&self) -> String {
        self.seq.map_or_else(|| self.id.to_string(), |seq| seq.to_string())
    }
}

/// The attempt that ended last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastAttempt {
    pub told: Told,
    pub at: Timestamp,
}

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Of the receiver's answer, if there was one.
    pub status: Option<u16>,
    /// `None`: delivered.
    pub miss: Option<Miss>,
    pub duration_ms: u64,
}

/// A delivery to be sent now, by whoever claimed it. Its `attempts` is the fence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedDelivery {
    pub delivery: Delivery,
    pub url: String,
    pub secrets: SealedSecrets,
}

/// How deliveries are repeated, and when an endpoint is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryPolicy {
    pub retry_ms: u64,
    pub backoff_base_ms: u64,
    pub backoff_max_ms: u64,
    pub disable_after_ms: u64,
    /// As many failures in a row, too: an endpoint that is told little has not failed for long after two.
    pub disable_failures: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_wants_all_or_what_it_names() {
        let words = |words: &[&str]| EventFilter::of_words(words.iter().map(|word| (*word).to_owned()));
        assert!(words(&["*"]).wants("file.ready") && words(&["file.ready", "*"]) == EventFilter::All);
        let some = words(&["file.ready", "file.failed", "file.ready"]);
        assert!(some.wants("file.failed") && !some.wants("file.staged") && !some.wants("file.fail"));
        assert_eq!(some.words(), ["file.failed", "file.ready"]);
        assert_eq!(EventFilter::of_words(EventFilter::All.words()), EventFilter::All);
    }
}
