//! Leases of those who listen to events. A browser connects again and again under the address it has, also when the token in it has
//! expired: who has begun to listen while it lived may go on, as a player may. They are looked at only when somebody connects, so the
//! database is asked each time.

use std::time::Duration;

use reelgate_common::{
    ids::FileId,
    lease::{Choice, Client, PlaybackLease, choose},
    tokens::TokenError,
};

use super::{Leases, Ticket, lease_ended};
use crate::error::ApiError;

impl Leases {
    /// The lease under which this client listens; `None` over the token's cap, while the token lives.
    ///
    /// # Errors
    /// 401 for an expired token whose client has no lease, for one that was revoked; 503.
    pub(crate) async fn listen(&self, ticket: &Ticket, client: &Client) -> Result<Option<PlaybackLease>, ApiError> {
        if let Err(revoked) = self.not_voided(ticket, None) {
            return Err(if ticket.lives() { revoked } else { lease_ended() });
        }
        let mut known = self.db.listeners_of_token(&ticket.org, &ticket.token_id).await?;
        let (now, lag) = (self.now(), self.row_lag());
        // Rows are behind those who listen.
        known.iter_mut().for_each(|lease| lease.seen_at = lease.seen_at.plus(lag).min(now));
        let choice = choose(known.iter(), client, ticket.lives(), now, &self.policy);
        let mut of = |id| known.iter().position(|lease| lease.id == id).map(|at| known.swap_remove(at));
        let (lease, from) = match choice {
            Choice::Use(id) => (of(id).map(|lease| PlaybackLease { seen_at: now, ..lease }), None),
            Choice::Rebind(id) => {
                let mut lease = of(id);
                let from = lease.as_ref().map(|lease| lease.client);
                lease.iter_mut().for_each(|lease| lease.rebind(*client, now));
                (lease, from)
            }
            Choice::Open if known.len() >= self.policy.per_token as usize => (None, None),
            Choice::Open => (Some(self.new_listener(ticket, client)), None),
            Choice::Refuse(why) if why.is_end() => return Err(lease_ended()),
            Choice::Refuse(_) => return Err(TokenError::Expired.into()),
        };
        if let Some(lease) = &lease {
            self.db.put_listener(lease, from.as_ref()).await?;
        }
        Ok(lease)
    }

    /// Whether nobody has revoked what a listener was let in by.
    pub(crate) fn may_go_on_listening(&self, ticket: &Ticket) -> bool {
        self.not_voided(ticket, None).is_ok()
    }

    fn new_listener(&self, ticket: &Ticket, client: &Client) -> PlaybackLease {
        let no_file = FileId(uuid::Uuid::nil());
        ticket.lease(no_file, client, self.now(), self.policy.hard_cap(Duration::ZERO))
    }
}
