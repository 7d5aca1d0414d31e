//! Webhooks: an event is one delivery for each endpoint that wants it, whoever asks and how often; a delivery has one sender at a time.

use std::{collections::BTreeSet, time::Duration};

use anyhow::{Context, Result};
use reelgate_common::{
    db::{Db, DeliveryFilter, Resent, Settled, Taker},
    ids::{DeliveryId, OrgId, WebhookId},
    webhook::{
        ClaimedDelivery, DeliveryPolicy, DeliveryState, DisabledReason, EventFilter, Miss, NewWebhook, Told, Webhook,
        WebhookChange,
    },
};

use super::{on_both, setup::*};

on_both!(
    each_event_is_one_delivery_for_each_endpoint_that_wants_it,
    those_who_claim_at_once_share_what_is_due_and_keep_the_bounds,
    the_next_event_of_a_file_waits_for_the_one_before,
    a_claim_that_ran_out_is_taken_over_and_a_late_word_is_not_believed,
    a_delivery_is_repeated_given_up_and_sent_again,
    an_endpoint_that_only_fails_is_disabled_and_starts_anew_when_enabled,
    an_organisation_has_as_many_endpoints_as_it_may_have,
    secrets_are_rotated_and_sealed_anew,
    an_endpoint_takes_its_deliveries_with_it,
);

const RETRY: Duration = Duration::from_secs(3_600);
const MISSED: Told = Told { status: Some(500), miss: Some(Miss::BadStatus), duration_ms: 7 };
const TAKEN: Told = Told { status: Some(204), miss: None, duration_ms: 7 };
const POLICY: DeliveryPolicy = DeliveryPolicy {
    retry_ms: 3_600_000,
    backoff_base_ms: 600_000,
    backoff_max_ms: 600_000,
    disable_after_ms: 0,
    disable_failures: 3,
};

fn taker(lease: Duration, per_endpoint: u64) -> Taker {
    Taker { holder: worker("g1"), lease, longest_wait: RETRY, per_endpoint }
}

/// Claims hold for longer than the test lasts.
fn patient() -> Taker {
    taker(Duration::from_secs(600), 100)
}

async fn endpoint(db: &Db, org: &OrgId, events: EventFilter) -> Result<WebhookId> {
    let (id, url) = (WebhookId::new(), "https://hooks.example/".to_owned());
    let new =
        NewWebhook { id, org_id: org.clone(), url, description: String::new(), events, secret: "s1.a.x".to_owned() };
    db.create_webhook(&new, 100).await?.context("one too many")?;
    Ok(id)
}

async fn log(db: &Db, org: &OrgId, id: WebhookId) -> Result<Vec<reelgate_common::webhook::Delivery>> {
    let mut log = db.list_deliveries(org, id, &DeliveryFilter { limit: 1_000, ..DeliveryFilter::default() }).await?;
    log.reverse();
    Ok(log)
}

async fn show(db: &Db, org: &OrgId, id: WebhookId) -> Result<Webhook> {
    db.find_webhook(org, id).await?.context("no such endpoint")
}

/// Files with two events or more each, told to an endpoint.
async fn told(db: &Db, org: &OrgId, files: usize) -> Result<WebhookId> {
    let id = endpoint(db, org, EventFilter::All).await?;
    for _ in 0..files {
        running(db, org).await?;
    }
    while db.fan_out(org, id, 3, RETRY).await? > 0 {}
    Ok(id)
}

async fn claim_one(db: &Db, org: &OrgId, id: WebhookId, taker: &Taker) -> Result<ClaimedDelivery> {
    db.claim_deliveries(org, id, taker, 1).await?.pop().context("nothing is due")
}

async fn each_event_is_one_delivery_for_each_endpoint_that_wants_it(place: Place) -> Result<()> {
    let (db, acme, globex) = (&place.db, org("acme"), org("globex"));
    let before = waiting(db, &acme).await?.0;
    let all = endpoint(db, &acme, EventFilter::All).await?;
    let some = endpoint(db, &acme, EventFilter::of_words(["file.deleted".to_owned()])).await?;
    let foreign = endpoint(db, &globex, EventFilter::All).await?;
    let (file, _) = running(db, &acme).await?;
    db.delete_file(&acme, file).await?;
    let behind: BTreeSet<_> = db.webhooks_behind(10).await?.into_iter().collect();
    assert_eq!(behind, BTreeSet::from([(acme.clone(), all), (acme.clone(), some)]));

    let other = place.another().await?;
    let turns = (0..6).map(|turn| {
        let (db, acme) = (if turn % 2 == 0 { db } else { &other }, &acme);
        async move { db.fan_out(acme, all, 2, RETRY).await }
    });
    futures_util::future::try_join_all(turns).await?;
    while !db.webhooks_behind(10).await?.is_empty() {
        db.fan_out(&acme, all, 2, RETRY).await?;
        db.fan_out(&acme, some, 2, RETRY).await?;
    }
    let events = db.events_after(&acme, 0, None, 100).await?;
    let wanted: Vec<_> = events.iter().filter(|event| event.file_id != before).collect();
    let made = log(db, &acme, all).await?;
    let numbers = |of: &[reelgate_common::webhook::Delivery]| of.iter().filter_map(|it| it.seq).collect::<Vec<_>>();
    assert!(wanted.len() >= 3, "{events:?}");
    assert_eq!(numbers(&made), wanted.iter().map(|event| event.seq).collect::<Vec<_>>());
    for (delivery, event) in made.iter().zip(&wanted) {
        let body: serde_json::Value = serde_json::from_str(&delivery.body)?;
        assert_eq!(body, serde_json::to_value(event.envelope())?);
        assert_eq!((delivery.state, delivery.attempts, delivery.last), (DeliveryState::Waiting, 0, None));
    }
    let deleted: Vec<_> = log(db, &acme, some).await?.iter().map(|it| it.kind.clone()).collect();
    assert_eq!(deleted, ["file.deleted"]);
    assert!(log(db, &globex, foreign).await?.is_empty() && log(db, &globex, all).await?.is_empty());
    Ok(())
}

async fn those_who_claim_at_once_share_what_is_due_and_keep_the_bounds(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let id = told(db, &acme, 12).await?;
    let (other, three) = (place.another().await?, taker(Duration::from_secs(600), 8));
    let turns = (0..6).map(|turn| {
        let (db, acme, three) = (if turn % 2 == 0 { db } else { &other }, &acme, &three);
        async move { db.claim_deliveries(acme, id, three, 3).await }
    });
    let claimed: Vec<_> = futures_util::future::try_join_all(turns).await?.into_iter().flatten().collect();
    let ids: BTreeSet<_> = claimed.iter().map(|it| it.delivery.id).collect();
    assert_eq!((claimed.len(), ids.len()), (8, 8), "as many as one endpoint may have, each once");
    assert!(db.due_webhooks(&three, 10).await?.is_empty(), "there is no place at this endpoint");
    assert_eq!(db.due_webhooks(&patient(), 10).await?, [(acme.clone(), id)]);
    for claim in &claimed {
        assert_eq!(db.settle_delivery(&acme, claim, TAKEN, &POLICY, 0.0).await?, Settled::Delivered);
    }
    assert_eq!(db.due_webhooks(&three, 10).await?, [(acme.clone(), id)]);
    db.change_webhook(&acme, id, &WebhookChange { enabled: Some(false), ..WebhookChange::default() }).await?;
    assert!(
        db.due_webhooks(&three, 10).await?.is_empty() && db.claim_deliveries(&acme, id, &three, 3).await?.is_empty()
    );
    Ok(())
}

async fn the_next_event_of_a_file_waits_for_the_one_before(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let id = told(db, &acme, 2).await?;
    let events = log(db, &acme, id).await?;
    let firsts: BTreeSet<_> = events.iter().map(|it| it.file_id).collect();
    let claimed = db.claim_deliveries(&acme, id, &patient(), 100).await?;
    assert_eq!(claimed.len(), 2, "one of each file");
    assert_eq!(claimed.iter().map(|it| it.delivery.file_id).collect::<BTreeSet<_>>(), firsts);
    assert!(db.claim_deliveries(&acme, id, &patient(), 100).await?.is_empty());
    // A failure holds its file back, the other goes on.
    let Settled::Again(_) = db.settle_delivery(&acme, &claimed[0], MISSED, &POLICY, 1.0).await? else { panic!() };
    db.settle_delivery(&acme, &claimed[1], TAKEN, &POLICY, 0.0).await?;
    let next = db.claim_deliveries(&acme, id, &patient(), 100).await?;
    assert_eq!(next.iter().map(|it| it.delivery.file_id).collect::<Vec<_>>(), [claimed[1].delivery.file_id]);
    assert!(next[0].delivery.seq > claimed[1].delivery.seq);
    // The number of another claim counts for nothing.
    let mut late = claimed[0].clone();
    late.delivery.attempts = 0;
    assert_eq!(db.settle_delivery(&acme, &late, MISSED, &POLICY, 0.0).await?, Settled::Stale);
    Ok(())
}

async fn a_claim_that_ran_out_is_taken_over_and_a_late_word_is_not_believed(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let id = told(db, &acme, 1).await?;
    let dead = claim_one(db, &acme, id, &taker(Duration::ZERO, 1)).await?;
    let heir = claim_one(&place.another().await?, &acme, id, &taker(Duration::from_secs(600), 1)).await?;
    assert_eq!(heir.delivery.id, dead.delivery.id);
    assert_eq!((dead.delivery.attempts, heir.delivery.attempts), (1, 2));
    assert_eq!(db.settle_delivery(&acme, &dead, TAKEN, &POLICY, 0.0).await?, Settled::Stale);
    db.release_delivery(&acme, &dead).await?;
    let held = db.find_delivery(&acme, id, dead.delivery.id).await?.context("gone")?;
    assert_eq!((held.state, held.attempts), (DeliveryState::Sending, 2));
    assert_eq!(db.settle_delivery(&acme, &heir, TAKEN, &POLICY, 0.0).await?, Settled::Delivered);
    // Who is stopped hands back at once.
    let stopped = claim_one(db, &acme, id, &patient()).await?;
    db.release_delivery(&acme, &stopped).await?;
    let again = claim_one(db, &acme, id, &patient()).await?;
    assert_eq!((again.delivery.id, again.delivery.attempts), (stopped.delivery.id, 2));
    Ok(())
}

async fn a_delivery_is_repeated_given_up_and_sent_again(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let id = told(db, &acme, 1).await?;
    let first = claim_one(db, &acme, id, &patient()).await?;
    let Settled::Again(at) = db.settle_delivery(&acme, &first, MISSED, &POLICY, 1.0).await? else { panic!() };
    let failed = db.find_delivery(&acme, id, first.delivery.id).await?.context("gone")?;
    assert_eq!(
        (failed.state, failed.due_at, failed.last.context("no attempt")?.told),
        (DeliveryState::Waiting, at, MISSED)
    );
    assert!(db.claim_deliveries(&acme, id, &patient(), 9).await?.is_empty(), "not before its time");
    // As if the clock had been set back by a day: nothing is put off for so long.
    let late = Taker { longest_wait: Duration::ZERO, ..taker(Duration::ZERO, 9) };
    let second = claim_one(db, &acme, id, &late).await?;
    let (id_of, never) =
        (second.delivery.id, DeliveryPolicy { backoff_base_ms: 7_200_000, backoff_max_ms: 7_200_000, ..POLICY });
    assert_eq!(db.settle_delivery(&acme, &second, MISSED, &never, 1.0).await?, Settled::GivenUp);
    assert_eq!(db.resend_delivery(&acme, id, DeliveryId::new(), RETRY).await?, Resent::NoSuchDelivery);
    assert_eq!(db.resend_delivery(&org("globex"), id, id_of, RETRY).await?, Resent::NoSuchDelivery);
    let Resent::Waiting(again) = db.resend_delivery(&acme, id, id_of, RETRY).await? else { panic!("not over") };
    assert_eq!((again.state, again.attempts, again.finished_at), (DeliveryState::Waiting, 2, None));
    assert_eq!(db.resend_delivery(&acme, id, id_of, RETRY).await?, Resent::UnderWay);
    let third = claim_one(db, &acme, id, &patient()).await?;
    assert_eq!((third.delivery.id, third.delivery.attempts), (id_of, 3));
    db.settle_delivery(&acme, &third, TAKEN, &POLICY, 0.0).await?;
    assert!(db.delivery_census().await?.waiting >= 1);
    let over = log(db, &acme, id).await?.iter().filter(|it| it.state.is_over()).count() as u64;
    assert_eq!(db.prune_deliveries(RETRY, 100).await?, 0);
    let clock = db.clock().await?;
    while db.clock().await? <= clock {}
    assert_eq!(db.prune_deliveries(Duration::ZERO, 100).await?, over);
    Ok(())
}

async fn an_endpoint_that_only_fails_is_disabled_and_starts_anew_when_enabled(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let id = told(db, &acme, 4).await?;
    let claimed = db.claim_deliveries(&acme, id, &patient(), 4).await?;
    for claim in &claimed[..2] {
        db.settle_delivery(&acme, claim, MISSED, &POLICY, 0.0).await?;
    }
    let failing = show(db, &acme, id).await?;
    assert!(failing.enabled && failing.failures == 2 && failing.failing_since.is_some());
    db.settle_delivery(&acme, &claimed[2], TAKEN, &POLICY, 0.0).await?;
    let well = show(db, &acme, id).await?;
    assert_eq!((well.failures, well.failing_since), (0, None));
    let patience = DeliveryPolicy { disable_failures: 1, disable_after_ms: 60_000, ..POLICY };
    db.settle_delivery(&acme, &claimed[3], MISSED, &patience, 0.0).await?;
    assert!(show(db, &acme, id).await?.enabled, "not for long enough");
    let once = DeliveryPolicy { disable_failures: 1, ..POLICY };
    let next = claim_one(db, &acme, id, &patient()).await?;
    db.settle_delivery(&acme, &next, MISSED, &once, 0.0).await?;
    let disabled = show(db, &acme, id).await?;
    assert!(!disabled.enabled && disabled.disabled.is_some_and(|(reason, _)| reason == DisabledReason::Failing));
    waiting(db, &acme).await?;
    assert!(db.webhooks_behind(10).await?.is_empty(), "it is told nothing");
    let wish = WebhookChange { enabled: Some(true), ..WebhookChange::default() };
    let enabled = db.change_webhook(&acme, id, &wish).await?.context("gone")?;
    assert_eq!((enabled.enabled, enabled.disabled, enabled.failures), (true, None, 0));
    assert!(db.webhooks_behind(10).await?.is_empty(), "nor later of what happened meanwhile");
    waiting(db, &acme).await?;
    assert_eq!(db.webhooks_behind(10).await?.len(), 1);
    assert!(db.change_webhook(&org("globex"), id, &wish).await?.is_none());
    Ok(())
}

async fn an_organisation_has_as_many_endpoints_as_it_may_have(place: Place) -> Result<()> {
    let (db, other) = (&place.db, place.another().await?);
    let new = |org: &OrgId| NewWebhook {
        id: WebhookId::new(),
        org_id: org.clone(),
        url: "https://hooks.example/".to_owned(),
        description: "ours".to_owned(),
        events: EventFilter::All,
        secret: "s1.a.x".to_owned(),
    };
    let acme = org("acme");
    let asked = (0..8).map(|turn| {
        let (db, new) = (if turn % 2 == 0 { db } else { &other }, new(&acme));
        async move { db.create_webhook(&new, 3).await }
    });
    let made = futures_util::future::try_join_all(asked).await?.into_iter().flatten().count();
    assert_eq!((made, db.list_webhooks(&acme).await?.len()), (3, 3));
    assert!(db.create_webhook(&new(&org("globex")), 3).await?.is_some());
    Ok(())
}

async fn secrets_are_rotated_and_sealed_anew(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let id = endpoint(db, &acme, EventFilter::All).await?;
    let rotated = db.rotate_webhook(&acme, id, "s1.b.y", RETRY).await?.context("gone")?;
    assert_eq!(rotated.secrets.current, "s1.b.y");
    assert_eq!(rotated.secrets.old.context("no old one")?.0, "s1.a.x");
    let otherwise = async |prefix| db.webhooks_sealed_otherwise(prefix, 10).await.map(|found| found.len());
    assert_eq!((otherwise("s1.b.").await?, otherwise("s1.c.").await?), (1, 1));
    db.reseal_webhook(&acme, id, "s1.a.x", ("lost".to_owned(), None)).await?;
    assert_eq!(show(db, &acme, id).await?.secrets.current, "s1.b.y", "it was rotated since it was read");
    db.reseal_webhook(&acme, id, "s1.b.y", ("s1.c.y".to_owned(), Some("s1.c.x".to_owned()))).await?;
    assert_eq!(otherwise("s1.c.").await?, 0);
    let ended = db.rotate_webhook(&acme, id, "s1.c.z", Duration::ZERO).await?.context("gone")?;
    assert_eq!(ended.secrets.old, None, "no grace");
    assert!(db.rotate_webhook(&org("globex"), id, "s1.x", RETRY).await?.is_none());
    Ok(())
}

async fn an_endpoint_takes_its_deliveries_with_it(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let id = told(db, &acme, 2).await?;
    let claimed = claim_one(db, &acme, id, &patient()).await?;
    assert!(!db.delete_webhook(&org("globex"), id).await? && db.delete_webhook(&acme, id).await?);
    assert_eq!(db.settle_delivery(&acme, &claimed, TAKEN, &POLICY, 0.0).await?, Settled::Stale);
    db.release_delivery(&acme, &claimed).await?;
    assert!(log(db, &acme, id).await?.is_empty());
    assert_eq!(db.delivery_census().await?.waiting, 0);
    let test = (DeliveryId::new(), "{}".to_owned());
    assert!(db.begin_test_delivery(&acme, id, test, &patient()).await?.is_none());
    Ok(())
}
