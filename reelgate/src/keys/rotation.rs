//! What becomes of the keys. Pure: a text and a time become a text.
//!
//! The name of a key that was made here says when: `k20261130T184012`. A key signs until the one before it in the list was made, so the name of
//! each says since when the next one has signed nothing; where it does not, the next one stays.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use reelgate_common::{
    config::Secret,
    tokens::{Keyring, config::TokensConfig},
};
use time::{OffsetDateTime, PrimitiveDateTime, format_description::BorrowedFormatItem, macros::format_description};

const NAME: &[BorrowedFormatItem<'_>] = format_description!("k[year][month][day]T[hour][minute][second]");
const KEY_BYTES: usize = 32;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rotation {
    /// As `tokens.keys` has them.
    pub(super) keys: String,
    /// The one that signs.
    pub(super) signs: String,
    /// A new one, unless an announced one took its turn.
    pub(super) made: Option<String>,
    /// Whether the new one only verifies for now.
    pub(super) announced: bool,
    /// Those that verify nothing any more.
    pub(super) dropped: Vec<String>,
}

/// A new key signs, or the one that was announced. With `announce` a new one is put last: it verifies, so that gateways may get to know it one
/// by one before any of them signs with it. `now` in seconds.
///
/// # Errors
/// The keys cannot be read, or one is announced already.
pub(super) fn rotate(keys: &str, now: i64, keep: Duration, announce: bool) -> anyhow::Result<Rotation> {
    check(keys)?;
    let entries: Vec<&str> = keys.split(',').map(str::trim).filter(|entry| !entry.is_empty()).collect();
    let announced = announced(&entries);
    if announce {
        anyhow::ensure!(
            announced.is_none(),
            "{} is announced already: rotate once every gateway has it",
            announced.map_or("", kid)
        );
        let new = new_key(&entries, now)?;
        let keys = [entries.join(","), new.clone()].join(",");
        let (signs, made) = (kid(entries[0]).to_owned(), Some(kid(&new).to_owned()));
        return finish(Rotation { keys, signs, made, announced: true, dropped: Vec::new() });
    }
    let (first, made) = match announced {
        Some(announced) => (announced.to_owned(), None),
        None => (new_key(&entries, now)?, Some(())),
    };
    let others: Vec<&str> = entries.iter().copied().filter(|entry| *entry != first).collect();
    let (kept, dropped) = still_needed(&others, now, keep);
    let signs = kid(&first).to_owned();
    let keys = [vec![first.as_str()], kept].concat().join(",");
    let made = made.map(|()| signs.clone());
    finish(Rotation {
        keys,
        signs,
        made,
        announced: false,
        dropped: dropped.into_iter().map(kid).map(str::to_owned).collect(),
    })
}

/// What is handed out must be what gateways take.
fn finish(rotation: Rotation) -> anyhow::Result<Rotation> {
    check(&rotation.keys)?;
    Ok(rotation)
}

/// # Errors
/// In the words that a gateway would say at its start.
pub(super) fn check(keys: &str) -> anyhow::Result<()> {
    let config = TokensConfig { keys: Secret::new(keys), ..TokensConfig::default() };
    Keyring::new(&config).map(drop).map_err(anyhow::Error::msg)
}

/// The last one, if it was made after the first: it has never signed. A first one by another name is older than any that was made here.
fn announced<'a>(entries: &[&'a str]) -> Option<&'a str> {
    let (first, last) = (entries.first()?, entries[1..].last()?);
    let made = made_at(last)?;
    made_at(first).is_none_or(|first| made > first).then_some(*last)
}

/// The first has signed until now. Each other one until the one before it was made.
fn still_needed<'a>(entries: &[&'a str], now: i64, keep: Duration) -> (Vec<&'a str>, Vec<&'a str>) {
    let keep = i64::try_from(keep.as_secs()).unwrap_or(i64::MAX);
    let is_needed = |index: usize| {
        let retired = index.checked_sub(1).map_or(Some(now), |before| made_at(entries[before]));
        retired.is_none_or(|retired| now.saturating_sub(retired) <= keep)
    };
    let (kept, dropped): (Vec<_>, Vec<_>) = entries.iter().enumerate().partition(|(index, _)| is_needed(*index));
    let only = |of: Vec<(usize, &&'a str)>| of.into_iter().map(|(_, entry)| *entry).collect();
    (only(kept), only(dropped))
}

fn kid(entry: &str) -> &str {
    entry.split(':').next().unwrap_or_default()
}

fn made_at(entry: &str) -> Option<i64> {
    Some(PrimitiveDateTime::parse(kid(entry), NAME).ok()?.assume_utc().unix_timestamp())
}

/// Named by its time; a second later when that name is taken.
fn new_key(entries: &[&str], now: i64) -> anyhow::Result<String> {
    let latest = entries.iter().filter_map(|entry| made_at(entry)).max().unwrap_or(i64::MIN);
    let name = OffsetDateTime::from_unix_timestamp(now.max(latest.saturating_add(1)))?.format(NAME)?;
    Ok(format!("{name}:{}", STANDARD.encode(rand::random::<[u8; KEY_BYTES]>())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_796_000_000;
    const HOUR: i64 = 3_600;
    const KEEP: Duration = Duration::from_secs(48 * 3_600);

    fn first_key() -> String {
        format!("k1:{}", STANDARD.encode([7; KEY_BYTES]))
    }

    fn kids(keys: &str) -> Vec<&str> {
        keys.split(',').map(kid).collect()
    }

    #[test]
    fn a_new_key_signs_and_the_one_before_it_verifies() {
        let rotation = rotate(&first_key(), NOW, KEEP, false).unwrap();
        assert_eq!(kids(&rotation.keys), [rotation.signs.as_str(), "k1"]);
        assert!(rotation.keys.ends_with(&first_key()), "it is the same key");
        assert_eq!((rotation.made.as_deref(), rotation.dropped.len()), (Some(rotation.signs.as_str()), 0));
        assert_ne!(rotate(&first_key(), NOW, KEEP, false).unwrap().keys, rotation.keys, "by chance");
    }

    #[test]
    fn a_key_is_gone_when_what_it_signed_is_and_not_before() {
        let once = rotate(&first_key(), NOW, KEEP, false).unwrap();
        let twice = rotate(&once.keys, NOW + HOUR, KEEP, false).unwrap();
        assert_eq!(kids(&twice.keys), [&*twice.signs, &*once.signs, "k1"], "k1 has signed until an hour ago");
        let later = rotate(&twice.keys, NOW + 49 * HOUR, KEEP, false).unwrap();
        assert_eq!(later.dropped, ["k1"], "the second was made 49 hours ago");
        assert_eq!(kids(&later.keys), [&*later.signs, &*twice.signs, &*once.signs]);
        let last = rotate(&later.keys, NOW + 500 * HOUR, KEEP, false).unwrap();
        assert_eq!(kids(&last.keys), [&*last.signs, &*later.signs], "the last one has signed until now");
    }

    #[test]
    fn of_a_key_by_another_name_nobody_knows_when_it_came_so_the_next_one_stays() {
        let keys = format!("{},old:{}", first_key(), STANDARD.encode([9; KEY_BYTES]));
        let rotation = rotate(&keys, NOW, KEEP, false).unwrap();
        let rotation = rotate(&rotation.keys, NOW + 1_000 * HOUR, KEEP, false).unwrap();
        assert!(
            kids(&rotation.keys).contains(&"old") && !kids(&rotation.keys).contains(&"k1"),
            "{:?}",
            kids(&rotation.keys)
        );
    }

    #[test]
    fn an_announced_key_verifies_first_and_signs_at_the_next_turn() {
        let named = rotate(&first_key(), NOW - HOUR, KEEP, false).unwrap();
        let announced = rotate(&named.keys, NOW, KEEP, true).unwrap();
        let new = announced.made.clone().unwrap();
        assert_eq!(
            (announced.signs.as_str(), kids(&announced.keys)),
            (&*named.signs, vec![&*named.signs, "k1", &*new])
        );
        assert!(rotate(&announced.keys, NOW + 1, KEEP, true).unwrap_err().to_string().contains("announced already"));
        let turned = rotate(&announced.keys, NOW + HOUR, KEEP, false).unwrap();
        assert_eq!((turned.signs.as_str(), &turned.made), (&*new, &None), "no further one is made");
        assert_eq!(kids(&turned.keys), [&*new, &*named.signs, "k1"]);
    }

    #[test]
    fn a_key_is_announced_beside_one_by_another_name_too() {
        let announced = rotate(&first_key(), NOW, KEEP, true).unwrap();
        let new = announced.made.unwrap();
        assert_eq!((announced.signs.as_str(), kids(&announced.keys)), ("k1", vec!["k1", &*new]));
        let turned = rotate(&announced.keys, NOW + HOUR, KEEP, false).unwrap();
        assert_eq!(kids(&turned.keys), [&*new, "k1"]);
    }

    #[test]
    fn two_turns_within_a_second_make_two_names() {
        let once = rotate(&first_key(), NOW, KEEP, false).unwrap();
        let twice = rotate(&once.keys, NOW, KEEP, false).unwrap();
        assert_ne!(once.signs, twice.signs);
        assert_eq!(kids(&twice.keys).len(), 3);
    }

    #[test]
    fn keys_that_no_gateway_would_take_are_not_rotated() {
        for bad in ["", "k1", "k1:short", "k1:!!!"] {
            assert!(rotate(bad, NOW, KEEP, false).is_err(), "{bad}");
        }
    }
}
