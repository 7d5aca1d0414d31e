//! Who gets in: master playlists and manifests by token, which opens a lease that their addresses then name; everything below
//! by that lease alone.

use std::sync::Arc;

use reelgate_common::{
    db::FileWithRenditions,
    ids::FileId,
    lease::{LeaseId, Parameter, Shown},
    rendition::Rendition,
    tokens::Scope,
};

use super::path::PackagedPath;
use crate::{
    app::App,
    entry::{Pass, Visit, enter},
    error::ApiError,
    grant::Grant,
    lease::{Held, lease_ended},
    play::{Ask, Method},
    representation::missing_rendition,
};

/// Let in.
pub(super) struct Entered {
    pub row: Arc<FileWithRenditions>,
    /// What is sent counts as its connection.
    pub lease: Option<Arc<Held>>,
    /// The lease that addresses name.
    pub name: LeaseId,
}

/// # Errors
/// As `enter`; 409 or 404 when nothing can be cut into segments: for that no lease is opened.
pub(super) async fn by_token(app: &App, grant: &Grant, file: FileId, ask: &Ask<'_>) -> Result<Entered, ApiError> {
    let visit = Visit {
        grant,
        file,
        client: ask.client(),
        opens: ask.method == Method::Get,
        scope: Scope::Play,
        parameter: Parameter::Packaged,
    };
    let Pass { row, lease, .. } = enter(app, visit, |row| {
        let any = row.renditions.iter().any(|rendition| rendition.packaging.is_some());
        if any { Ok(Shown::Packaged) } else { Err(missing_rendition(&row.file)) }
    })
    .await?;
    let named = match (&lease, ask.method) {
        (Some(held), _) => Some(held.id()),
        // Of the same length as any: a HEAD says how long the playlist would be.
        (None, Method::Head) => Some(LeaseId::random()),
        // Over the token's cap one reads along under a lease that the token has opened before.
        (None, _) => grant.ticket().and_then(|ticket| app.leases.any_of(ticket, file)),
    };
    Ok(Entered { row, lease, name: named.ok_or_else(lease_ended)? })
}

/// # Errors
/// 401 without a lease, and for a generation that is over and not what the lease has shown; 404 for a file that is gone.
pub(super) async fn by_lease(app: &App, path: &PackagedPath, ask: &Ask<'_>) -> Result<Entered, ApiError> {
    let name: LeaseId = path.lease.parse().map_err(|_| lease_ended())?;
    let held = app.leases.by_path(name, path.file, &ask.client()).await?;
    let row = row(app, &held, path).await?;
    Ok(Entered { row, lease: Some(held), name })
}

async fn row(app: &App, held: &Held, path: &PackagedPath) -> Result<Arc<FileWithRenditions>, ApiError> {
    let (org, file) = (held.org(), path.file);
    // Another gateway may have seen a newer row than the one that is remembered here, and have named what is in it.
    let does = |row: &FileWithRenditions| {
        let earns = app.config.earned.enabled;
        let may_come = earns || row.file.progress < 1.0 || path.rendition.starts_with("captions-");
        row.file.generation != path.generation || !may_come || find(row, path).is_some()
    };
    let row = app.rows.find_that(&app.db, org, file, does).await?.ok_or_else(ApiError::file_not_found)?;
    if row.file.generation == path.generation {
        return Ok(row);
    }
    let pin = held.pin(&Parameter::Packaged).filter(|pin| pin.generation == path.generation);
    let pin = pin.ok_or_else(lease_ended)?;
    app.rows.generation(&app.db, org, file, pin.generation).await?.ok_or_else(ApiError::file_not_found)
}

/// The rendition that a path names.
pub(super) fn find<'a>(row: &'a FileWithRenditions, path: &PackagedPath) -> Option<&'a Rendition> {
    row.renditions.iter().find(|rendition| rendition.name == path.rendition)
}
