//! What is asked and answered about deliveries of webhooks.

use crate::{
    ids::DeliveryId,
    timestamp::Timestamp,
    webhook::{Delivery, DeliveryState},
};

/// `GET /v1/webhooks/{id}/deliveries`: newest first.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    pub state: Option<DeliveryState>,
    /// Only deliveries older than this one (the last of the page before).
    pub after: Option<DeliveryId>,
    pub limit: u64,
}

/// Answer to `resend_delivery`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resent {
    Waiting(Box<Delivery>),
    /// It waits or is sent already.
    UnderWay,
    NoSuchDelivery,
}

/// Answer to `settle_delivery`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    Delivered,
    /// Once more, not before this; by the database's clock.
    Again(Timestamp),
    GivenUp,
    /// Somebody else has claimed it since, or its endpoint is gone: nothing was written.
    Stale,
}

/// Deliveries that are not over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeliveryCensus {
    pub waiting: u64,
    /// Milliseconds.
    pub oldest_wait_ms: u64,
}
