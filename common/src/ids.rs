//! Identifiers. Each is its own type, so that one can never be passed for another; none knows where it is stored.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A text that is not an identifier of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid identifier: expected a hyphenated UUID")]
pub struct InvalidId;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new identifier: UUIDv7, so that sorting by it sorts by time of creation.
            #[must_use]
            #[expect(clippy::new_without_default, reason = "a default identifier would be a trap")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            /// Only the 36-character hyphenated form is taken: one file has one spelling of its address.
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                if text.len() != 36 {
                    return Err(InvalidId);
                }
                Uuid::try_parse(text).map(Self).map_err(|_| InvalidId)
            }
        }
    };
}

uuid_id!(
    /// One upload and all that is made from it.
    FileId
);
uuid_id!(
    /// Queued work.
    JobId
);
uuid_id!(
    /// An endpoint that is told events.
    WebhookId
);
uuid_id!(
    /// One event for one endpoint.
    DeliveryId
);

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes any text; identity providers choose it, so it is compared exactly and never parsed.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// The organisation a file belongs to (claim `org`). Every query helper takes one.
    OrgId
);
text_id!(
    /// The person or service that uploaded a file (claim `sub`).
    UserId
);
text_id!(
    /// One running process (gateway or worker), unique per start.
    ProcessId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling() {
        let id = FileId::new();
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.0.simple().to_string().parse::<FileId>(), Err(InvalidId));
        assert_eq!(format!("{{{id}}}").parse::<FileId>(), Err(InvalidId));
        assert_eq!("".parse::<FileId>(), Err(InvalidId));
    }
}
