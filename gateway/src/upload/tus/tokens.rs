//! Upload tokens: a page's server asks for one with its user's credentials, and the page uploads with it alone. It is looked at when an
//! upload is created and never again, so that a long upload does not fail because its token has expired.

use std::{collections::BTreeMap, time::Duration};

use http::HeaderMap;
use reelgate_common::{auth::Caller, resumable::UploadToken, timestamp::Timestamp};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{
    Desk, Secret,
    error::TusError,
    headers::UPLOAD_TOKEN,
    metadata::{MAX_METADATA, Metadata},
};
use crate::{
    app::App,
    body::RequestBody,
    error::{ApiError, Violation},
    grant, json_body,
    respond::{Response, ok},
};

/// As many uploads one token may be for.
const MAX_UPLOADS: u64 = 1_000;
const DEFAULT_LIFE: u64 = 3_600;

/// Who uploads, and within what.
pub(super) struct Warrant {
    pub(super) caller: Caller,
    pub(super) max_bytes: u64,
    /// Of the token, to be spent.
    pub(super) token: Option<String>,
    content_type: Option<String>,
    metadata: BTreeMap<String, String>,
}

impl Warrant {
    /// Holds what the client says against what the token is for; what the token says goes before.
    pub(super) fn narrow(&self, metadata: &mut Metadata) -> Result<(), TusError> {
        for (name, value) in &self.metadata {
            metadata.set(name, value);
        }
        let Some(wanted) = &self.content_type else { return Ok(()) };
        let said = metadata.text("filetype").or_else(|| metadata.text("type")).unwrap_or_default();
        if is_type(wanted, &said) { Ok(()) } else { Err(TusError::TypeNotAllowed) }
    }
}

impl Desk {
    /// A signed-in caller's, or an upload token's.
    pub(super) async fn warrant(&self, headers: &HeaderMap) -> Result<Warrant, ApiError> {
        let Some(token) = headers.get(UPLOAD_TOKEN) else {
            let caller = grant::counted(&self.app, headers).await?;
            return Ok(Warrant {
                caller,
                max_bytes: u64::MAX,
                token: None,
                content_type: None,
                metadata: BTreeMap::new(),
            });
        };
        let invalid =
            || ApiError::unauthorized("upload_token_invalid", "The upload token is not valid, or has expired");
        let digest = token.to_str().ok().and_then(Secret::parse).ok_or_else(invalid)?.digest();
        let token = self.db().find_upload_token(&digest).await?.ok_or_else(invalid)?;
        let caller = Caller { user: token.owner_id, org: token.org_id, admin: false, operator: false };
        self.app.rates.admit(&caller).await?;
        let max_bytes = if token.max_bytes == 0 { u64::MAX } else { token.max_bytes };
        let metadata = serde_json::from_str(&token.metadata).unwrap_or_default();
        Ok(Warrant { caller, max_bytes, token: Some(digest), content_type: token.content_type, metadata })
    }
}

/// `video/*` is every type of video.
fn is_type(wanted: &str, said: &str) -> bool {
    let said = said.split(';').next().unwrap_or_default().trim();
    match wanted.strip_suffix("/*") {
        Some(family) => said.split_once('/').is_some_and(|(of, _)| of.eq_ignore_ascii_case(family)),
        None => said.eq_ignore_ascii_case(wanted),
    }
}

/// An upload token.
#[derive(Serialize, ToSchema)]
#[schema(as = UploadToken)]
pub(super) struct TokenJson {
    /// For `Reelgate-Upload-Token`.
    token: String,
    expires_at: Timestamp,
    /// Each upload has at most so many.
    max_bytes: u64,
    /// Uploads that it is for.
    uploads: u64,
}

/// What an upload token is for, as the document tells it; `Wish::parse` reads it.
#[derive(ToSchema)]
#[schema(as = UploadTokenWish)]
#[expect(dead_code, reason = "read by the derived schema alone")]
pub(super) struct TokenWish {
    /// The most that an upload may have; `upload.max_file_bytes` at most, and unless said otherwise.
    #[schema(minimum = 1)]
    max_bytes: Option<u64>,
    /// As many uploads; one unless said otherwise.
    #[schema(minimum = 1, maximum = 1000)]
    uploads: Option<u64>,
    /// Seconds within which an upload must begin; an hour unless said otherwise.
    #[schema(minimum = 1)]
    expires_in: Option<u64>,
    /// What is uploaded must be of this type, or of this family of types (`video/*`).
    #[schema(max_length = 100, pattern = "^[!-.0-~]+/[!-.0-~]+$")]
    content_type: Option<String>,
    /// Goes before `Upload-Metadata` of the client.
    metadata: Option<BTreeMap<String, String>>,
}

/// `POST /v1/uploads/token`.
///
/// # Errors
/// 422 for a body that cannot be read.
pub(crate) async fn mint(app: &App, caller: Caller, body: RequestBody) -> Result<Response, ApiError> {
    let most = (app.config.upload.max_file_bytes, app.config.resumable.max_token_seconds);
    let wish = Wish::parse(&json_body::object(body).await?.unwrap_or_default(), most)?;
    let expires_at = app.db.clock().await?.plus(Duration::from_secs(wish.expires_in));
    let secret = Secret::random();
    let token = UploadToken {
        org_id: caller.org,
        owner_id: caller.user,
        max_bytes: wish.max_bytes,
        content_type: wish.content_type,
        metadata: serde_json::to_string(&wish.metadata).map_err(|_| ApiError::internal())?,
        uploads_left: wish.uploads,
        expires_at,
    };
    app.db.add_upload_token(&secret.digest(), &token).await?;
    Ok(ok(&TokenJson { token: secret.text(), expires_at, max_bytes: wish.max_bytes, uploads: wish.uploads }))
}

/// What the body asks for.
#[derive(Debug, PartialEq, Eq)]
struct Wish {
    max_bytes: u64,
    uploads: u64,
    expires_in: u64,
    content_type: Option<String>,
    metadata: BTreeMap<String, String>,
}

impl Wish {
    /// Unknown fields are ignored, as everywhere; `null` is as good as absent.
    fn parse(body: &Map<String, Value>, (largest, longest): (u64, u64)) -> Result<Self, ApiError> {
        let mut wrong = Vec::new();
        let life = DEFAULT_LIFE.min(longest);
        let wish = Self {
            max_bytes: number(body, "max_bytes", largest, largest, &mut wrong),
            uploads: number(body, "uploads", 1, MAX_UPLOADS, &mut wrong),
            expires_in: number(body, "expires_in", life, longest, &mut wrong),
            content_type: content_type(body, &mut wrong),
            metadata: metadata(body, &mut wrong),
        };
        if wrong.is_empty() { Ok(wish) } else { Err(ApiError::invalid(wrong)) }
    }
}

fn number(body: &Map<String, Value>, name: &'static str, usual: u64, most: u64, wrong: &mut Vec<Violation>) -> u64 {
    let Some(value) = json_body::present(body, name) else { return usual };
    value.as_u64().filter(|number| (1..=most).contains(number)).unwrap_or_else(|| {
        let message = format!("Input should be a whole number from 1 to {most}");
        wrong.push(Violation::new(["body".into(), name.into()], message, "int_range"));
        usual
    })
}

fn content_type(body: &Map<String, Value>, wrong: &mut Vec<Violation>) -> Option<String> {
    let value = json_body::present(body, "content_type")?;
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
    let text = value.as_str().filter(|text| text.len() <= 100);
    let good = text.filter(|text| text.split_once('/').is_some_and(|(of, what)| is_word(of) && is_word(what)));
    if good.is_none() {
        let message = "Input should be a media type such as 'video/mp4' or 'video/*'";
        wrong.push(Violation::new(["body".into(), "content_type".into()], message, "value_error"));
    }
    good.map(str::to_owned)
}

fn metadata(body: &Map<String, Value>, wrong: &mut Vec<Violation>) -> BTreeMap<String, String> {
    let Some(value) = json_body::present(body, "metadata") else { return BTreeMap::new() };
    let pairs = value.as_object().and_then(|pairs| {
        let pair = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
        pairs.iter().map(pair).collect::<Option<BTreeMap<_, _>>>()
    });
    let is_name = |name: &String| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',');
    let size =
        |pairs: &BTreeMap<String, String>| pairs.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
    let good = pairs.filter(|pairs| pairs.keys().all(is_name) && size(pairs) <= MAX_METADATA / 2);
    good.unwrap_or_else(|| {
        let message = format!("Input should be an object of texts, together at most {} bytes", MAX_METADATA / 2);
        wrong.push(Violation::new(["body".into(), "metadata".into()], message, "dict_type"));
        BTreeMap::new()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(value: &Value) -> Result<Wish, ApiError> {
        Wish::parse(value.as_object().unwrap(), (1_000, 7_200))
    }

    #[test]
    fn without_a_body_a_token_is_for_one_upload_in_an_hour() {
        let wish = parse(&json!({"max_bytes": null, "extra": 1})).unwrap();
        assert_eq!((wish.max_bytes, wish.uploads, wish.expires_in), (1_000, 1, 3_600));
    }

    #[test]
    fn every_wrong_field_is_named() {
        let body = json!({
            "max_bytes": 1_001, "uploads": 0, "expires_in": "1", "content_type": "video", "metadata": {"a": 1},
        });
        let crate::error::Detail::Invalid(wrong) = parse(&body).unwrap_err().detail else { panic!("a list") };
        assert_eq!(wrong.len(), 5);
    }

    #[test]
    fn a_type_or_a_family_of_types_is_matched() {
        for (wanted, said) in [("video/*", "video/mp4"), ("video/mp4", "Video/MP4; codecs=x")] {
            assert!(is_type(wanted, said), "{wanted} {said}");
        }
        for (wanted, said) in
            [("video/*", "audio/mp4"), ("video/*", ""), ("video/*", "videos/mp4"), ("video/mp4", "video/webm")]
        {
            assert!(!is_type(wanted, said), "{wanted} {said}");
        }
    }
}
