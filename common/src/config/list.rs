//! Lists in the configuration. The file has them; an environment variable is one text, so there commas part the entries.

use std::{fmt::Display, str::FromStr};

use serde::{Deserialize, Deserializer, de::Error};

#[derive(Deserialize)]
#[serde(untagged)]
enum Given<T> {
    List(Vec<T>),
    Text(String),
    /// A variable that holds a number has become one.
    One(T),
}

/// A list, or its entries as one text with commas; for `#[serde(deserialize_with)]`.
///
/// # Errors
/// An entry is none of its type.
pub fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + FromStr<Err: Display>,
{
    match Given::deserialize(deserializer)? {
        Given::List(list) => Ok(list),
        Given::One(entry) => Ok(vec![entry]),
        Given::Text(text) => text
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .map(|entry| entry.parse().map_err(|error| D::Error::custom(format!("{entry:?}: {error}"))))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_value, json};

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Numbers(#[serde(deserialize_with = "list")] Vec<u32>);

    fn numbers(value: Value) -> Option<Vec<u32>> {
        from_value::<Numbers>(value).ok().map(|numbers| numbers.0)
    }

    #[test]
    fn a_text_is_parted_at_its_commas() {
        for given in [json!([1080, 720]), json!("1080,720"), json!(" 1080 , 720, ")] {
            assert_eq!(numbers(given.clone()), Some(vec![1080, 720]), "{given}");
        }
        assert_eq!(numbers(json!(720)), Some(vec![720]));
        assert_eq!(numbers(json!("")), Some(vec![]));
    }

    #[test]
    fn what_is_no_entry_is_refused() {
        for given in [json!("1080,high"), json!(["high"]), json!(-1), json!({})] {
            assert_eq!(numbers(given.clone()), None, "{given}");
        }
    }
}
