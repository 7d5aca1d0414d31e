//! The ways to show who asks.

use serde_json::{Value, json};

use crate::endpoint::{BEARER, STREAM_TOKEN, UPLOAD_TOKEN};

pub(super) fn schemes() -> Value {
    json!({
        BEARER: {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "A JWT of your identity provider, with claims `sub`, `org` and `roles`; `reelgate token` makes one for tests.",
        },
        STREAM_TOKEN: {
            "type": "apiKey",
            "in": "query",
            "name": "token",
            "description": "A stream token from `POST /v1/files/token`, for addresses that a browser loads by itself.",
        },
        UPLOAD_TOKEN: {
            "type": "apiKey",
            "in": "header",
            "name": "Reelgate-Upload-Token",
            "description": "An upload token from `POST /v1/uploads/token`: uploads without the user's own credentials.",
        },
    })
}
