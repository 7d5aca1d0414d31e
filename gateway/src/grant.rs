//! Who may do what: a verified permission from `Authorization: Bearer` (a signed-in caller) or `?token=` (a stream token).
//! Signatures are checked before anything is looked up, so that nobody learns what exists.
//!
//! Given both, both must hold and name the same user of the same organisation; the token then decides, being the narrower.

use http::{HeaderMap, header::AUTHORIZATION};
use reelgate_common::{
    auth::Caller,
    file::FileRecord,
    ids::{FileId, OrgId, UserId},
    metric::STREAM_TOKENS_CHECKED,
    timestamp::Timestamp,
    tokens::{Claims, Scope, TokenError},
};

use crate::{
    app::App,
    error::{ApiError, Violation},
    lease::Ticket,
    query::Query,
};

/// A verified permission within one organisation.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    org: OrgId,
    user: UserId,
    admin: bool,
    /// `None` for a signed-in caller, who is not limited.
    limits: Option<Limits>,
}

#[derive(Debug, Clone)]
struct Limits {
    /// May have expired: then it permits only what a lease of the client does.
    ticket: Ticket,
    files: Option<Vec<FileId>>,
}

impl From<Caller> for Grant {
    fn from(caller: Caller) -> Self {
        Self { org: caller.org, user: caller.user, admin: caller.admin, limits: None }
    }
}

impl From<Claims> for Grant {
    fn from(mut claims: Claims) -> Self {
        let limits = Limits { ticket: Ticket::new(&mut claims), files: claims.files };
        Self { org: claims.org, user: claims.user, admin: false, limits: Some(limits) }
    }
}

impl Grant {
    #[must_use]
    pub(crate) fn org(&self) -> &OrgId {
        &self.org
    }

    #[must_use]
    pub(crate) fn user(&self) -> &UserId {
        &self.user
    }

    /// The stream token, which may have expired; `None` for a signed-in caller.
    #[must_use]
    pub(crate) fn ticket(&self) -> Option<&Ticket> {
        self.limits.as_ref().map(|limits| &limits.ticket)
    }

    /// The only files that the token was made for; `None` when it was not narrowed.
    #[must_use]
    pub(crate) fn files(&self) -> Option<&[FileId]> {
        self.limits.as_ref()?.files.as_deref()
    }

    /// # Errors
    /// 404 for a file that the token was not made for: it must not even tell whether it exists.
    pub(crate) fn covers(&self, file: FileId) -> Result<(), ApiError> {
        let files = self.limits.as_ref().and_then(|limits| limits.files.as_ref());
        if files.is_none_or(|files| files.contains(&file)) { Ok(()) } else { Err(ApiError::file_not_found()) }
    }

    /// # Errors
    /// 403 when the token's scope lacks this. Says nothing about any file.
    pub(crate) fn allows(&self, scope: Scope) -> Result<(), ApiError> {
        match &self.limits {
            Some(limits) if !limits.ticket.scope.contains(&scope) => {
                Err(ApiError::forbidden("scope_missing", "The token does not allow this; ask for a wider scope"))
            }
            _ => Ok(()),
        }
    }

    /// An expired token is told nothing but that, whatever it asked for.
    #[must_use]
    pub(crate) fn veil(&self, error: ApiError) -> ApiError {
        let told = error.status.is_server_error() || self.ticket().is_none_or(Ticket::lives);
        if told { error } else { TokenError::Expired.into() }
    }

    /// For a file of the own organisation, whose existence is no secret.
    ///
    /// # Errors
    /// 403 for neither its owner nor an admin.
    pub(crate) fn owns(&self, file: &FileRecord) -> Result<(), ApiError> {
        if self.admin || self.user == file.owner_id { Ok(()) } else { Err(not_owner()) }
    }
}

fn not_owner() -> ApiError {
    ApiError::forbidden("not_owner", "Only the file's owner or an admin of its organisation may do this")
}

/// The signed-in caller.
///
/// # Errors
/// 401, or 503 while sign-in cannot be checked.
pub(crate) async fn caller(app: &App, headers: &HeaderMap) -> Result<Caller, ApiError> {
    match bearer(headers)? {
        Some(token) => Ok(Box::pin(app.authenticator.verify(token)).await?),
        None => Err(ApiError::unauthorized("not_signed_in", "Not authenticated")),
    }
}

/// The signed-in caller of what is no stream, one request poorer.
///
/// # Errors
/// As `caller`; 429 for one who asks too often.
pub(crate) async fn counted(app: &App, headers: &HeaderMap) -> Result<Caller, ApiError> {
    let caller = caller(app, headers).await?;
    app.rates.admit(&caller).await?;
    Ok(caller)
}

/// For images, which open no lease: a caller or a stream token that lives.
///
/// # Errors
/// As `caller`; 401 for a token that has expired or was revoked.
pub(crate) async fn media(app: &App, headers: &HeaderMap, query: &Query<'_>) -> Result<Grant, ApiError> {
    let grant = playback(app, headers, query).await?;
    if let Some(ticket) = grant.ticket() {
        app.leases.permit(ticket)?;
    }
    Ok(grant)
}

/// For what is played: a caller or an authentic stream token, which may have expired. `entry::enter` asks for more.
///
/// # Errors
/// As `caller`.
pub(crate) async fn playback(app: &App, headers: &HeaderMap, query: &Query<'_>) -> Result<Grant, ApiError> {
    let Some(token) = single_token(query)? else { return caller(app, headers).await.map(Grant::from) };
    STREAM_TOKENS_CHECKED.counter().increment(1);
    let claims = app.keyring.authenticate(token, Timestamp::now())?;
    if bearer(headers)?.is_some() {
        let caller = caller(app, headers).await?;
        if caller.user != claims.user || caller.org != claims.org {
            return Err(ApiError::unauthorized("token_conflict", "The stream token belongs to another caller"));
        }
    }
    Ok(claims.into())
}

/// The same on the stream routes, whose contract requires `token`: without any credentials it is missing.
///
/// # Errors
/// 422 when there are no credentials at all, else as `playback`.
pub(crate) async fn stream(app: &App, headers: &HeaderMap, query: &Query<'_>) -> Result<Grant, ApiError> {
    if query.get("token").is_none() && !headers.contains_key(AUTHORIZATION) {
        return Err(ApiError::invalid(vec![Violation::missing("query", "token")]));
    }
    playback(app, headers, query).await
}

/// Two tokens are a puzzle, not a permission.
fn single_token<'q>(query: &'q Query<'_>) -> Result<Option<&'q str>, ApiError> {
    let mut tokens = query.all("token");
    let first = tokens.next();
    if tokens.next().is_some() { Err(TokenError::Invalid.into()) } else { Ok(first) }
}

/// The credentials of the header, if there is one.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let wrong = || ApiError::unauthorized("token_invalid", "Authorization must be one Bearer token");
    let (scheme, token) = value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(wrong)?;
    if values.next().is_some() || !scheme.eq_ignore_ascii_case("bearer") {
        return Err(wrong());
    }
    Ok(Some(token.trim()))
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, StatusCode};

    use super::*;

    fn token(scope: &[Scope], files: Option<Vec<FileId>>) -> Grant {
        Claims {
            jti: "j".to_owned(),
            user: UserId::new("alice"),
            org: OrgId::new("acme"),
            scope: scope.to_vec(),
            files,
            issued_at: Timestamp(0),
            expires_at: Timestamp(300_000),
        }
        .into()
    }

    #[test]
    fn a_narrowed_token_hides_other_files() {
        let (mine, other) = (FileId::new(), FileId::new());
        let grant = token(Scope::DEFAULT, Some(vec![mine]));
        assert_eq!(grant.covers(mine), Ok(()));
        assert_eq!(grant.covers(other).unwrap_err().status, StatusCode::NOT_FOUND);
        assert_eq!(token(Scope::DEFAULT, None).covers(other), Ok(()));
    }

    #[test]
    fn a_missing_scope_is_403() {
        let grant = token(&[Scope::Play], None);
        assert_eq!(grant.allows(Scope::Play), Ok(()));
        assert_eq!(grant.allows(Scope::Source).unwrap_err().status, StatusCode::FORBIDDEN);
    }

    #[test]
    fn only_one_bearer_header_counts() {
        let mut headers = HeaderMap::new();
        assert_eq!(bearer(&headers), Ok(None));
        headers.append(AUTHORIZATION, HeaderValue::from_static("bearer abc"));
        assert_eq!(bearer(&headers), Ok(Some("abc")));
        headers.append(AUTHORIZATION, HeaderValue::from_static("Bearer def"));
        assert!(bearer(&headers).is_err());
        headers.clear();
        headers.insert(AUTHORIZATION, HeaderValue::from_static("Basic abc"));
        assert!(bearer(&headers).is_err());
    }

    #[test]
    fn two_tokens_are_none() {
        assert!(single_token(&Query::parse(Some("token=a&token=a"))).is_err());
        assert_eq!(single_token(&Query::parse(Some("token="))), Ok(Some("")));
    }
}
