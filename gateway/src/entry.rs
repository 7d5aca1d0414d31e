//! How a request for media gets in: its token lives or its client has a lease, the token covers the file, and what it is
//! shown is what its lease has shown before. The one way for all routes that stream; knows no ranges and no bodies.

use std::{borrow::Cow, sync::Arc};

use reelgate_common::{
    db::FileWithRenditions,
    file::FileKind,
    ids::FileId,
    lease::{Client, Parameter, Pin, Shown},
    timestamp::Timestamp,
    tokens::Scope,
};

use crate::{
    app::App,
    error::ApiError,
    grant::Grant,
    lease::{Held, Ticket, is_end},
    representation::may_come,
};

/// Who asks for what of which file.
pub(crate) struct Visit<'a> {
    pub grant: &'a Grant,
    pub file: FileId,
    pub client: Client,
    /// A GET: only those open a lease.
    pub opens: bool,
    pub scope: Scope,
    pub parameter: Parameter,
}

/// Let in.
#[derive(Debug, Clone)]
pub(crate) struct Pass {
    /// The file in the generation that is shown.
    pub row: Arc<FileWithRenditions>,
    pub shown: Shown,
    /// `None` for a signed-in caller, a HEAD, an image, and over the token's cap.
    pub lease: Option<Arc<Held>>,
}

/// `decide` says what is shown under the parameter to one whose lease has not decided that yet.
///
/// # Errors
/// 401 by token and lease, before anything else is said; 404, 403 by the grant; what `decide` says; 503.
pub(crate) async fn enter(
    app: &App,
    visit: Visit<'_>,
    decide: impl Fn(&FileWithRenditions) -> Result<Shown, ApiError>,
) -> Result<Pass, ApiError> {
    let ticket = ticket(app, &visit);
    let held = match &ticket {
        Some(ticket) => match app.leases.settle(ticket, visit.file, &visit.client, visit.opens).await {
            Ok(held) => held,
            Err(error) => return Err(Box::pin(or_gone(app, &visit, error)).await),
        },
        None => None,
    };
    visit.grant.covers(visit.file)?;
    visit.grant.allows(visit.scope)?;
    let grows = |row: &FileWithRenditions| app.config.earned.enabled || may_come(&row.file);
    let does = |row: &FileWithRenditions| !grows(row) || decide(row).is_ok();
    let row = app.rows.find_that(&app.db, visit.grant.org(), visit.file, does).await?;
    let row = row.ok_or_else(ApiError::file_not_found)?;
    if let Some(held) = &held
        && let Some(pin) = held.pin(&visit.parameter)
    {
        return pass(app, row, pin, Some(held.clone()), decide).await;
    }
    let pin = Pin { parameter: visit.parameter, generation: row.file.generation, shown: decide(&row)? };
    let opens = visit.opens && row.file.kind != FileKind::Image;
    let held = match (held, &ticket) {
        (None, Some(ticket)) if opens => {
            Box::pin(app.leases.open(ticket, &row.file, &visit.client, pin.clone())).await?
        }
        (held, _) => held,
    };
    let pin = match &held {
        Some(held) => Box::pin(app.leases.pin(held, pin)).await?,
        None => pin,
    };
    pass(app, row, pin, held, decide).await
}

/// What ended with its file is not there; that says more than that it has ended.
async fn or_gone(app: &App, visit: &Visit<'_>, error: ApiError) -> ApiError {
    if !is_end(&error) || visit.grant.covers(visit.file).is_err() {
        return error;
    }
    match app.rows.find(&app.db, visit.grant.org(), visit.file).await {
        Ok(None) => ApiError::file_not_found(),
        Ok(Some(_)) | Err(_) => error,
    }
}

/// Addresses of playlists name a lease, so there has to be one for a signed-in caller, too.
fn ticket<'a>(app: &App, visit: &Visit<'a>) -> Option<Cow<'a, Ticket>> {
    if let Some(ticket) = visit.grant.ticket() {
        return Some(Cow::Borrowed(ticket));
    }
    (visit.parameter == Parameter::Packaged).then(|| {
        let (org, user) = (visit.grant.org().clone(), visit.grant.user().clone());
        let ttl = std::time::Duration::from_secs(app.config.tokens.ttl_seconds);
        let (issued_at, expires_at) = (app.leases.issue_at(&org, &user), Timestamp::now().plus(ttl));
        Cow::Owned(Ticket::of_caller(org, user, issued_at, expires_at))
    })
}

async fn pass(
    app: &App,
    row: Arc<FileWithRenditions>,
    pin: Pin,
    lease: Option<Arc<Held>>,
    decide: impl Fn(&FileWithRenditions) -> Result<Shown, ApiError>,
) -> Result<Pass, ApiError> {
    let has = |row: &FileWithRenditions| match &pin.shown {
        Shown::Rendition(name) => row.renditions.iter().any(|rendition| rendition.name == *name),
        Shown::Source | Shown::Packaged => true,
    };
    let row = if pin.generation == row.file.generation && has(&row) {
        row
    } else {
        // Pinned before a new generation came, or by a gateway that has seen a newer row than this one.
        let (org, file) = (&row.file.org_id, row.file.id);
        app.rows.generation(&app.db, org, file, pin.generation).await?.ok_or_else(ApiError::file_not_found)?
    };
    // What somebody plays is not dropped, but a lease may be opened in the very moment: whoever asked for what is best still gets it.
    let shown = if pin.parameter == Parameter::Best && !has(&row) { decide(&row)? } else { pin.shown };
    Ok(Pass { row, shown, lease })
}
