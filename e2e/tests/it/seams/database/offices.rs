//! The election, and the identity of the deployment.

use std::time::Duration;

use anyhow::Result;

use super::{on_both, setup::*};

on_both!(an_office_has_one_holder_until_its_term_ends, an_office_left_is_free, the_deployment_keeps_its_identity);

const TERM: Duration = Duration::from_secs(3_600);

async fn an_office_has_one_holder_until_its_term_ends(place: Place) -> Result<()> {
    let (db, a, b) = (&place.db, worker("a"), worker("b"));
    assert!(db.hold_office("dispatcher", &a, TERM).await?);
    assert!(!db.hold_office("dispatcher", &b, TERM).await?);
    assert!(db.hold_office("reaper", &b, TERM).await?);
    assert!(db.hold_office("dispatcher", &a, Duration::ZERO).await?);
    assert!(db.hold_office("dispatcher", &b, TERM).await?);
    assert!(!db.hold_office("dispatcher", &a, TERM).await?);
    Ok(())
}

async fn an_office_left_is_free(place: Place) -> Result<()> {
    let (db, a, b) = (&place.db, worker("a"), worker("b"));
    assert!(db.hold_office("dispatcher", &a, TERM).await?);
    db.leave_office("dispatcher", &b).await?;
    assert!(!db.hold_office("dispatcher", &b, TERM).await?);
    db.leave_office("dispatcher", &a).await?;
    assert!(db.hold_office("dispatcher", &b, TERM).await?);
    Ok(())
}

async fn the_deployment_keeps_its_identity(place: Place) -> Result<()> {
    let id = place.db.deployment_id().await?;
    assert_eq!(id.len(), 32);
    reelgate_migrations::up(place.db.connection()).await?;
    assert_eq!(place.another().await?.deployment_id().await?, id);
    assert_ne!(Place::sqlite().await?.db.deployment_id().await?, id);
    Ok(())
}
