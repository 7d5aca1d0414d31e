//! How claims look inside a token: short keys and packed file ids, because a token lives in a URL. Knows no signature.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Claims, Scope};
use crate::{
    ids::{FileId, OrgId, UserId},
    timestamp::Timestamp,
};

/// Unknown keys are refused: a later version may add a narrowing, and to skip one would widen the token.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    j: String,
    u: UserId,
    o: OrgId,
    s: Vec<Scope>,
    /// Base64url of the 16-byte ids in a row: 22 characters a file instead of 39.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    f: Option<String>,
    i: i64,
    e: i64,
}

/// Base64url of the claims' JSON.
pub(super) fn pack(claims: &Claims) -> String {
    let wire = Wire {
        j: claims.jti.clone(),
        u: claims.user.clone(),
        o: claims.org.clone(),
        s: claims.scope.clone(),
        f: claims.files.as_deref().map(pack_files),
        i: claims.issued_at.0,
        e: claims.expires_at.0,
    };
    let json = serde_json::to_vec(&wire).expect("a struct of texts and numbers has a JSON form");
    URL_SAFE_NO_PAD.encode(json)
}

/// The reverse; `None` for anything `pack` would not have written.
pub(super) fn unpack(text: &str) -> Option<Claims> {
    let wire: Wire = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    let files = match wire.f {
        None => None,
        Some(packed) => Some(unpack_files(&packed)?),
    };
    Some(Claims {
        jti: wire.j,
        user: wire.u,
        org: wire.o,
        scope: wire.s,
        files,
        issued_at: Timestamp(wire.i),
        expires_at: Timestamp(wire.e),
    })
}

fn pack_files(files: &[FileId]) -> String {
    let bytes: Vec<u8> = files.iter().flat_map(|id| id.0.into_bytes()).collect();
    URL_SAFE_NO_PAD.encode(bytes)
}

fn unpack_files(packed: &str) -> Option<Vec<FileId>> {
    let bytes = URL_SAFE_NO_PAD.decode(packed).ok()?;
    let (ids, rest) = bytes.as_chunks::<16>();
    rest.is_empty().then(|| ids.iter().map(|id| FileId(Uuid::from_bytes(*id))).collect())
}
