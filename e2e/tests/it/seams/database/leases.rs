//! Playback leases and epochs: opened once, bound and pinned by whoever is first, ended for good.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{collections::HashSet, time::Duration};

use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use reelgate_common::{
    db::OpenedLease,
    ids::{FileId, OrgId, UserId},
    lease::{Client, Epochs, LeaseId, Parameter, Pin, PlaybackLease, Shown, Subject},
    timestamp::Timestamp,
    tokens::{Scope, new_jti},
};

use super::{on_both, setup::*};

on_both!(
    of_gateways_that_race_one_opens_the_lease,
    a_lease_is_read_back_as_it_was_written,
    a_token_opens_no_more_than_it_may,
    an_ended_lease_gives_way,
    a_lease_moves_once_and_whoever_comes_second_hears_of_it,
    what_is_pinned_first_stays,
    a_touch_never_goes_back,
    leases_end_with_their_file,
    an_epoch_is_heard_of_and_stays,
    only_the_own_organisation_revokes_a_lease,
    what_is_long_over_is_forgotten,
);

const LONG: Duration = Duration::from_secs(3_600);

fn lease(org: &OrgId, file: FileId) -> PlaybackLease {
    let now = Timestamp::now();
    PlaybackLease {
        id: LeaseId::random(),
        org: org.clone(),
        user: UserId::new("alice"),
        file,
        token_id: new_jti(),
        scope: vec![Scope::Play, Scope::Source],
        token_issued_at: now,
        token_expires_at: now.plus(Duration::from_secs(300)),
        client: client("192.0.2.1"),
        opened_at: now,
        seen_at: now,
        ends_at: now.plus(LONG),
        moves: Vec::new(),
        pins: vec![pin(Parameter::Best, "480p")],
    }
}

fn client(address: &str) -> Client {
    Client::new(b"player", address.parse().unwrap())
}

fn pin(parameter: Parameter, name: &str) -> Pin {
    Pin { parameter, generation: 1, shown: Shown::Rendition(name.to_owned()) }
}

/// An open lease of a file of `acme`.
async fn opened(place: &Place) -> Result<PlaybackLease> {
    let (file, _) = waiting(&place.db, &org("acme")).await?;
    let lease = lease(&org("acme"), file);
    assert_eq!(place.db.open_lease(&lease, LONG, 10).await?, OpenedLease::New);
    Ok(lease)
}

async fn of_gateways_that_race_one_opens_the_lease(place: Place) -> Result<()> {
    let (file, _) = waiting(&place.db, &org("acme")).await?;
    let first = lease(&org("acme"), file);
    let racers: Vec<_> = (0..8).map(|_| PlaybackLease { id: LeaseId::random(), ..first.clone() }).collect();
    let other = place.another().await?;
    let open = racers.iter().enumerate().map(|(n, lease)| {
        let db = if n % 2 == 0 { &place.db } else { &other };
        db.open_lease(lease, LONG, 10)
    });
    let answers = try_join_all(open).await?;
    assert_eq!(answers.iter().filter(|answer| **answer == OpenedLease::New).count(), 1, "{answers:?}");
    let stored = place.db.leases_of_token(&org("acme"), &first.token_id, file).await?;
    assert_eq!(stored.len(), 1);
    for answer in answers {
        assert!(answer == OpenedLease::New || answer == OpenedLease::Held(Box::new(stored[0].clone())), "{answer:?}");
    }
    Ok(())
}

async fn a_lease_is_read_back_as_it_was_written(place: Place) -> Result<()> {
    let lease = opened(&place).await?;
    assert_eq!(place.db.find_lease(lease.id).await?.as_ref(), Some(&lease));
    assert_eq!(
        place.db.leases_of_token(&org("acme"), &lease.token_id, lease.file).await?,
        std::slice::from_ref(&lease)
    );
    assert_eq!(place.db.leases_of_token(&org("globex"), &lease.token_id, lease.file).await?, []);
    assert_eq!(place.db.leases_of_token(&org("acme"), &lease.token_id, FileId::new()).await?, []);
    assert_eq!(place.db.find_lease(LeaseId::random()).await?, None);
    Ok(())
}

async fn a_token_opens_no_more_than_it_may(place: Place) -> Result<()> {
    let first = opened(&place).await?;
    let next = |address| PlaybackLease { id: LeaseId::random(), client: client(address), ..first.clone() };
    assert_eq!(place.db.open_lease(&next("198.51.100.1"), LONG, 2).await?, OpenedLease::New);
    assert_eq!(place.db.open_lease(&next("203.0.113.1"), LONG, 2).await?, OpenedLease::TooMany);
    // What it has already it is given again.
    assert_eq!(place.db.open_lease(&next("192.0.2.9"), LONG, 2).await?, OpenedLease::Held(Box::new(first.clone())));
    let foreign = PlaybackLease { id: LeaseId::random(), org: org("globex"), token_id: new_jti(), ..first };
    assert_eq!(place.db.open_lease(&foreign, LONG, 2).await?, OpenedLease::NoSuchFile);
    Ok(())
}

async fn an_ended_lease_gives_way(place: Place) -> Result<()> {
    let first = opened(&place).await?;
    let again = PlaybackLease { id: LeaseId::random(), ends_at: Timestamp::now().minus(LONG), ..first.clone() };
    // Idle for no time at all is idle.
    assert_eq!(place.db.open_lease(&again, Duration::ZERO, 1).await?, OpenedLease::New);
    assert_eq!(place.db.find_lease(first.id).await?, None);
    let third = PlaybackLease { id: LeaseId::random(), ..first };
    assert_eq!(place.db.open_lease(&third, LONG, 1).await?, OpenedLease::New, "the second was at its cap");
    Ok(())
}

async fn a_lease_moves_once_and_whoever_comes_second_hears_of_it(place: Place) -> Result<()> {
    let lease = opened(&place).await?;
    // An ended one of the same client, in the network that it moves to.
    let there = PlaybackLease { id: LeaseId::random(), client: client("198.51.100.1"), ..lease.clone() };
    assert_eq!(place.db.open_lease(&there, LONG, 10).await?, OpenedLease::New);

    let since = place.db.lease_news(None).await?.now;
    let mut moved = lease.clone();
    moved.rebind(client("198.51.100.7"), Timestamp::now());
    assert!(place.db.move_lease(&moved, &lease.client).await?);
    let mut elsewhere = lease.clone();
    elsewhere.rebind(client("203.0.113.1"), Timestamp::now());
    assert!(!place.another().await?.move_lease(&elsewhere, &lease.client).await?, "it is not there any more");

    let stored = place.db.leases_of_token(&org("acme"), &lease.token_id, lease.file).await?;
    assert_eq!(stored.len(), 1);
    assert_eq!((stored[0].id, stored[0].client, &stored[0].moves), (lease.id, moved.client, &moved.moves));
    assert!(stored[0].seen_at >= since);
    let heard = place.db.lease_news(Some(since)).await?.moved;
    assert_eq!(heard, stored);
    assert_eq!(place.db.lease_news(Some(since.plus(LONG))).await?.moved, []);
    Ok(())
}

async fn what_is_pinned_first_stays(place: Place) -> Result<()> {
    let lease = opened(&place).await?;
    let named = Parameter::Named("360p".to_owned());
    place.db.pin_lease(lease.id, &pin(named.clone(), "360p")).await?;
    let late = place.another().await?.pin_lease(lease.id, &pin(Parameter::Best, "1080p")).await?;
    assert_eq!(late, Some(vec![pin(Parameter::Best, "480p"), pin(named, "360p")]));
    assert_eq!(place.db.pin_lease(LeaseId::random(), &pin(Parameter::Best, "480p")).await?, None);

    let watched = |silent| place.db.pinned_generations(&lease.org, lease.file, silent);
    assert_eq!(watched(LONG).await?, HashSet::from([1]));
    assert_eq!(watched(Duration::ZERO).await?, HashSet::new());
    assert_eq!(place.db.pinned_generations(&org("globex"), lease.file, LONG).await?, HashSet::new());
    Ok(())
}

async fn a_touch_never_goes_back(place: Place) -> Result<()> {
    let lease = opened(&place).await?;
    let later = lease.seen_at.plus(Duration::from_secs(60));
    for (touch, expected) in [(later, later), (lease.seen_at, later)] {
        place.db.touch_leases(&[(lease.id, touch), (LeaseId::random(), touch)]).await?;
        assert_eq!(place.db.find_lease(lease.id).await?.context("gone")?.seen_at, expected);
    }
    Ok(())
}

async fn leases_end_with_their_file(place: Place) -> Result<()> {
    let lease = opened(&place).await?;
    assert!(place.db.delete_file(&lease.org, lease.file).await?);
    assert!(revokes(&place, &lease).await?, "at once");
    place.db.purge_file(lease.file).await?;
    assert_eq!(place.db.find_lease(lease.id).await?, None, "and its row with the file's");
    let late = PlaybackLease { id: LeaseId::random(), ..lease };
    assert_eq!(place.db.open_lease(&late, LONG, 10).await?, OpenedLease::NoSuchFile);
    Ok(())
}

/// What a gateway that starts now would say.
async fn revokes(place: &Place, lease: &PlaybackLease) -> Result<bool> {
    let mut epochs = Epochs::default();
    for epoch in place.another().await?.lease_news(None).await?.epochs {
        epochs.apply(epoch);
    }
    Ok(epochs.revokes(lease))
}

async fn an_epoch_is_heard_of_and_stays(place: Place) -> Result<()> {
    let lease = opened(&place).await?;
    for (subject, ends) in [
        (Subject::User(UserId::new("bob")), false),
        (Subject::File(FileId::new()), false),
        (Subject::User(lease.user.clone()), true),
    ] {
        let since = place.db.lease_news(None).await?.now;
        let epoch = place.db.bump_epoch(&lease.org, &subject).await?;
        assert_eq!(revokes(&place, &lease).await?, ends, "{subject:?}");
        assert!(place.db.lease_news(Some(since)).await?.epochs.contains(&epoch));
        assert_eq!(place.db.lease_news(Some(since.plus(LONG))).await?.epochs, []);
    }
    // Again: one row, at a later time.
    let subject = Subject::User(lease.user.clone());
    let later = place.db.bump_epoch(&lease.org, &subject).await?;
    let known = place.db.lease_news(None).await?.epochs;
    let same: Vec<_> = known.iter().filter(|epoch| epoch.subject == subject).collect();
    assert_eq!(same, [&later]);
    Ok(())
}

async fn only_the_own_organisation_revokes_a_lease(place: Place) -> Result<()> {
    let lease = opened(&place).await?;
    assert_eq!(place.db.revoke_lease(&org("globex"), lease.id).await?, None);
    assert_eq!(place.db.revoke_lease(&org("acme"), LeaseId::random()).await?, None);
    place.db.bump_epoch(&org("globex"), &Subject::Org).await?;
    assert!(!revokes(&place, &lease).await?);
    place.db.revoke_lease(&org("acme"), lease.id).await?.context("not revoked")?;
    assert!(revokes(&place, &lease).await?);
    Ok(())
}

async fn what_is_long_over_is_forgotten(place: Place) -> Result<()> {
    let lease = opened(&place).await?;
    place.db.bump_epoch(&lease.org, &Subject::Org).await?;
    assert_eq!(place.db.purge_leases(LONG).await?, 0);
    // The epoch is dated a little later than it was made, so that it is in the past of nobody yet.
    assert_eq!(place.db.purge_epochs(Duration::ZERO).await?, 0, "the lease is older than it");
    assert!(revokes(&place, &lease).await?);
    assert_eq!(place.db.purge_leases(Duration::ZERO).await?, 1);
    assert_eq!(place.db.find_lease(lease.id).await?, None);
    assert_eq!(place.db.purge_epochs(LONG).await?, 0, "a token may be older than it");
    Ok(())
}
