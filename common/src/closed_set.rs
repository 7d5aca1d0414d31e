//! One macro for enums that are stored and sent as fixed words.

/// Declares an enum whose variants each have one fixed spelling, in the database, in JSON and in logs.
macro_rules! closed_set {
    ($(#[$doc:meta])* pub enum $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ::serde::Serialize, ::serde::Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every member, in declaration order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        // Derived in a macro, a schema would have the names of the variants: it does not see what they are renamed to.
        impl ::utoipa::PartialSchema for $name {
            fn schema() -> ::utoipa::openapi::RefOr<::utoipa::openapi::Schema> {
                let words = Self::ALL.iter().map(|member| member.as_str());
                let object = ::utoipa::openapi::ObjectBuilder::new().schema_type(::utoipa::openapi::Type::String);
                object.enum_values(Some(words)).into()
            }
        }

        impl ::utoipa::ToSchema for $name {
            fn name() -> ::std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::closed_set::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|member| member.as_str() == text)
                    .ok_or_else(|| $crate::closed_set::UnknownWord { word: text.to_owned(), set: stringify!($name) })
            }
        }
    };
}
pub(crate) use closed_set;

/// A word that is no member of the set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{word:?} is not a {set}")]
pub struct UnknownWord {
    pub word: String,
    pub set: &'static str,
}

#[cfg(test)]
mod tests {
    use utoipa::PartialSchema;

    use crate::file::FileState;

    #[test]
    fn a_schema_has_the_words_that_are_sent() {
        let schema = serde_json::to_value(FileState::schema()).unwrap();
        assert_eq!(schema["enum"], serde_json::to_value(FileState::ALL).unwrap());
        assert_eq!((&schema["type"], &schema["enum"][0]), (&"string".into(), &"uploading".into()));
    }
}
