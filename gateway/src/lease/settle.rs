//! Whether a client goes on: first by what this gateway holds, and only before it refuses or moves anybody by what the
//! cache and the database say.

use std::{sync::Arc, time::Duration};

use reelgate_common::{
    db::DbError,
    ids::FileId,
    lease::{Admit, Choice, Client, LeaseId, PlaybackLease, Refusal, choose},
    timestamp::Timestamp,
};

use super::{Leases, Ticket, held::Held, keep::EVERY};
use crate::error::ApiError;

/// By how much the cache may be behind a gateway that serves the client.
const CACHE_LAG: Duration = EVERY.saturating_mul(2);

/// Where the leases of a token are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Cache,
    Database,
}

impl Leases {
    /// The lease under which this client goes on reading. `None` while the token lives and this client has none, as far
    /// as this gateway knows; whoever `opens` one then hears from the database.
    ///
    /// # Errors
    /// 401 for an expired token whose client has no lease, for a lease that has ended, for a token that was revoked; 503
    /// when nobody can tell.
    pub(crate) async fn settle(
        &self,
        ticket: &Ticket,
        file: FileId,
        client: &Client,
        opens: bool,
    ) -> Result<Option<Arc<Held>>, ApiError> {
        let key = (ticket.token_id.clone(), file);
        if let Some(held) = self.here(&key, client)? {
            return Ok(Some(held));
        }
        if ticket.lives() {
            self.not_voided(ticket, Some(file))?;
            return if opens { Ok(None) } else { Box::pin(self.elsewhere(ticket, &key, client)).await };
        }
        Box::pin(self.settle_expired(ticket, &key, client)).await.map(Some)
    }

    /// A look must show what another gateway has shown this client. While nobody can tell it shows what is best.
    async fn elsewhere(
        &self,
        ticket: &Ticket,
        key: &(String, FileId),
        client: &Client,
    ) -> Result<Option<Arc<Held>>, ApiError> {
        if self.asked.has(key) {
            return Ok(None);
        }
        let mut lag = self.row_lag();
        for place in [Place::Cache, Place::Database] {
            if let Ok(true) = self.look(place, ticket, key.1, lag).await {
                lag = CACHE_LAG;
            }
            if let Some(held) = self.here(key, client)? {
                return Ok(Some(held));
            }
        }
        Ok(None)
    }

    /// Whether a client that was let in under this lease still is; then it counts as seen. Asks nobody.
    pub(crate) fn goes_on(&self, held: &Held, client: &Client) -> bool {
        let now = self.now();
        let admitted = !held.is_revoked() && held.admit_own(client, now, &self.policy) == Some(Admit::Pass);
        if admitted {
            held.seen(now);
        }
        admitted
    }

    /// The lease of this client that this gateway holds.
    ///
    /// # Errors
    /// 401 for one that was revoked.
    pub(super) fn here(&self, key: &(String, FileId), client: &Client) -> Result<Option<Arc<Held>>, ApiError> {
        let now = self.now();
        self.shelf.find(key, |held| self.own(held, client, now)).map(|held| self.go_on(held, now)).transpose()
    }

    fn own(&self, held: &Arc<Held>, client: &Client, now: Timestamp) -> Option<Arc<Held>> {
        let admitted = held.admit_own(client, now, &self.policy)? == Admit::Pass;
        admitted.then(|| held.clone())
    }

    fn go_on(&self, held: Arc<Held>, now: Timestamp) -> Result<Arc<Held>, ApiError> {
        if held.is_revoked() {
            return Err(lease_ended());
        }
        held.seen(now);
        Ok(held)
    }

    /// For what opens no lease: the token itself must permit it.
    ///
    /// # Errors
    /// 401 when it has expired or was revoked.
    pub(crate) fn permit(&self, ticket: &Ticket) -> Result<(), ApiError> {
        if ticket.lives() { self.not_voided(ticket, None) } else { Err(token_expired()) }
    }

    pub(super) fn not_voided(&self, ticket: &Ticket, file: Option<FileId>) -> Result<(), ApiError> {
        let voided = self.epochs().not_before(&ticket.org, &ticket.user, file);
        if voided.is_some_and(|voided| ticket.issued_at <= voided) { Err(token_revoked()) } else { Ok(()) }
    }

    async fn settle_expired(
        &self,
        ticket: &Ticket,
        key: &(String, FileId),
        client: &Client,
    ) -> Result<Arc<Held>, ApiError> {
        let mut choice = self.choose(key, client);
        let (mut away, mut lag) = (None, self.row_lag());
        if !self.asked.has(key) {
            for place in [Place::Cache, Place::Database] {
                if matches!(choice, Choice::Use(_)) {
                    break;
                }
                match self.look(place, ticket, key.1, lag).await {
                    Ok(true) => {
                        choice = self.choose(key, client);
                        // Where the cache knows nothing newer, there is nothing newer.
                        lag = CACHE_LAG;
                    }
                    Ok(false) => {}
                    Err(error) => away = Some(error),
                }
            }
            // What nobody could say is asked again at once.
            if away.is_none() {
                self.asked.note(key.clone());
            }
        }
        match (choice, away) {
            (Choice::Use(id), _) => self.go_on(self.shelf.get(id).ok_or_else(token_expired)?, self.now()),
            (Choice::Rebind(id), _) => self.rebind(id, ticket, key, client).await,
            (Choice::Refuse(_), Some(error)) if self.shelf.of_token(key).is_empty() => Err(error.into()),
            (Choice::Refuse(why), _) => Err(self.refusal(why, key, client)),
            (Choice::Open, _) => Err(token_expired()),
        }
    }

    /// By what this gateway holds; revoked ones are no choice.
    fn choose(&self, key: &(String, FileId), client: &Client) -> Choice {
        let held = self.shelf.of_token(key);
        let leases: Vec<_> = held.iter().filter(|held| !held.is_revoked()).map(|held| held.to_judge()).collect();
        choose(leases.iter(), client, false, self.now(), &self.policy)
    }

    /// Whoever imitates a client learns no more than that he has no lease.
    fn refusal(&self, why: Refusal, key: &(String, FileId), client: &Client) -> ApiError {
        let same = |held: &Arc<Held>| held.lease().client.user_agent == client.user_agent;
        let was_revoked = || self.shelf.of_token(key).iter().any(|held| held.is_revoked() && same(held));
        match why {
            Refusal::Idle | Refusal::HardCap => lease_ended(),
            Refusal::OtherClient if was_revoked() => lease_ended(),
            _ => token_expired(),
        }
    }

    /// By how much the database may be behind a gateway that serves the client.
    pub(super) fn row_lag(&self) -> Duration {
        self.policy.touch() + CACHE_LAG
    }

    /// Brings what is known elsewhere of a token's leases; a row may be behind by `lag`. False when there is nothing.
    async fn look(&self, place: Place, ticket: &Ticket, file: FileId, lag: Duration) -> Result<bool, DbError> {
        let lag = if place == Place::Cache { CACHE_LAG } else { lag };
        let found = match (place, &self.cache) {
            (Place::Cache, None) => return Ok(false),
            // While the cache is away the database is asked.
            (Place::Cache, Some(cache)) => cache.of_token(&ticket.token_id, file).await.unwrap_or_default(),
            (Place::Database, _) => {
                let _turn = self.lookups.acquire().await.ok();
                self.db.leases_of_token(&ticket.org, &ticket.token_id, file).await?
            }
        };
        let found: Vec<_> = found.into_iter().filter(|lease| lease.org == ticket.org).collect();
        let any = !found.is_empty();
        for lease in found {
            self.adopt(lease, lag);
        }
        Ok(any)
    }

    /// Takes a lease that was found elsewhere. Its client may have been seen since that was written down.
    fn adopt(&self, lease: PlaybackLease, lag: Duration) -> Arc<Held> {
        let (known, perhaps) = (self.shelf.get(lease.id).is_some(), lease.seen_at.plus(lag).min(self.now()));
        let held = self.shelf.put(lease, true);
        // Where there is no cache there is no other gateway: what this one has seen is all there is to see.
        if !known || self.cache.is_some() {
            held.perhaps_seen(perhaps);
        }
        self.check(&held);
        held
    }

    /// Takes a lease that the database has just confirmed.
    pub(super) fn adopt_row(&self, lease: PlaybackLease) -> Arc<Held> {
        self.adopt(lease, self.row_lag())
    }

    /// After it is on the shelf: an epoch that comes later finds it there.
    pub(super) fn check(&self, held: &Held) {
        if self.epochs().revokes(&held.lease()) {
            held.revoke();
        }
    }

    async fn rebind(
        &self,
        id: LeaseId,
        ticket: &Ticket,
        key: &(String, FileId),
        client: &Client,
    ) -> Result<Arc<Held>, ApiError> {
        let held = self.shelf.get(id).ok_or_else(token_expired)?;
        let now = self.now();
        let mut moved = held.lease();
        let from = std::mem::replace(&mut moved.client, *client);
        moved.rebind(*client, now);
        match self.db.move_lease(&moved, &from).await {
            Ok(true) => held.set_binding(&moved),
            // Another request or gateway was first; whom it moved it to is in the row.
            Ok(false) => {
                self.look(Place::Database, ticket, key.1, CACHE_LAG).await?;
                if !matches!(self.choose(key, client), Choice::Use(found) if found == id) {
                    return Err(token_expired());
                }
            }
            Err(DbError::Away(_)) => {
                held.set_binding(&moved);
                held.unsaved.store(true, std::sync::atomic::Ordering::Relaxed);
            }
            Err(error) => return Err(error.into()),
        }
        tracing::info!(file.id = %key.1, moves = moved.moves.len(), "a playback went on from another network");
        self.go_on(held, now)
    }

    /// A lease by its name, as it stands in an address, for this client: the name stands for the token that opened it.
    ///
    /// # Errors
    /// 401 when it has ended or never was, or is another client's; 503 when nobody can tell.
    pub(crate) async fn by_path(&self, id: LeaseId, file: FileId, client: &Client) -> Result<Arc<Held>, ApiError> {
        let named = match self.shelf.get(id) {
            Some(held) => held,
            None => self.find(id).await?.ok_or_else(lease_ended)?,
        };
        if named.file() != file {
            return Err(lease_ended());
        }
        let now = self.now();
        if let Some(held) = self.own(&named, client, now) {
            return self.go_on(held, now);
        }
        let lease = named.lease();
        let ticket = Ticket::of_lease(&lease);
        match self.settle(&ticket, file, client, true).await? {
            Some(held) => Ok(held),
            // Another of the token's clients; over the cap it reads along under the lease that it names.
            None => Ok(self.open_beside(&lease, client).await?.unwrap_or(named)),
        }
    }

    /// Some lease of a token, for a client that may open none: what it names opens no more than the token does.
    #[must_use]
    pub(crate) fn any_of(&self, ticket: &Ticket, file: FileId) -> Option<LeaseId> {
        let key = (ticket.token_id.clone(), file);
        self.shelf.find(&key, |held| (!held.is_revoked()).then(|| held.id()))
    }

    async fn find(&self, id: LeaseId) -> Result<Option<Arc<Held>>, ApiError> {
        if let Some(cache) = &self.cache
            && let Ok(Some(lease)) = cache.find(id).await
        {
            return Ok(Some(self.adopt(lease, CACHE_LAG)));
        }
        let _turn = self.lookups.acquire().await.ok();
        Ok(self.db.find_lease(id).await?.map(|lease| self.adopt(lease, self.row_lag())))
    }
}

/// Whether it was permitted once, and no more.
pub(crate) fn is_end(error: &ApiError) -> bool {
    matches!(&*error.code, "lease_ended" | "token_revoked")
}

fn token_expired() -> ApiError {
    reelgate_common::tokens::TokenError::Expired.into()
}

fn token_revoked() -> ApiError {
    ApiError::unauthorized("token_revoked", "The stream token was revoked; get a new one from POST /v1/files/token")
}

pub(crate) fn lease_ended() -> ApiError {
    ApiError::unauthorized("lease_ended", "This playback has ended; get a new token from POST /v1/files/token")
}
