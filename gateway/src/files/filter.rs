//! The query of `GET /v1/files` as a filter. Pure; every parameter that is wrong is named at once.

use std::str::FromStr;

use reelgate_common::{
    auth::usable_identifier,
    ids::UserId,
    labels,
    listing::{FileFilter, Place, Sort, name_key},
    timestamp::Timestamp,
};

use crate::{
    error::ApiError,
    query::{Query, Reader},
};

/// Characters; a name has not many more.
pub(super) const MAX_TEXT: usize = 255;

const TIME: &str = "Input should be a time as in RFC 3339, e.g. 2026-11-30T12:00:00Z";
const SIZE: &str = "Input should be a number of bytes";

/// `me` is who asks.
///
/// # Errors
/// 422.
pub(super) fn parse(query: &Query, me: &UserId) -> Result<FileFilter, ApiError> {
    let mut read = Reader::new(query);
    let sort = sort(&mut read);
    let filter = FileFilter {
        states: words(&mut read, "state", "Input should be file states"),
        kinds: words(&mut read, "kind", "Input should be 'video', 'audio', 'image' or 'other'"),
        owner: owner(&mut read, me),
        created_after: read.one("created_after", TIME, "datetime_parsing", Timestamp::parse),
        created_before: read.one("created_before", TIME, "datetime_parsing", Timestamp::parse),
        size_min: read.parsed("size_min", SIZE, "int_parsing"),
        size_max: read.parsed("size_max", SIZE, "int_parsing"),
        name: read.one("q", "Input should be at most 255 characters of text", "string_too_long", text),
        tags: tags(&mut read),
        expires_before: read.one("expires_before", TIME, "datetime_parsing", Timestamp::parse),
        trashed: read.parsed("trashed", "Input should be 'true' or 'false'", "bool_parsing").unwrap_or(false),
        sort,
        after: place(&mut read, sort),
        limit: read.limit(),
    };
    read.done(filter)
}

/// Members of a closed set, given several times or with commas between them.
fn words<T: FromStr>(read: &mut Reader<'_>, name: &'static str, message: &'static str) -> Vec<T> {
    let words = read.all(name).flat_map(|value| value.split(',')).filter(|word| !word.is_empty());
    let members: Result<Vec<T>, _> = words.map(str::parse).collect();
    members.unwrap_or_else(|_| {
        read.refuse(name, message, "enum");
        Vec::new()
    })
}

fn owner(read: &mut Reader<'_>, me: &UserId) -> Option<UserId> {
    read.one("owner", "Input should be 'me' or a user", "value_error", |text| match text {
        "me" => Some(me.clone()),
        text => usable_identifier(text).then(|| UserId::new(text)),
    })
}

fn tags(read: &mut Reader<'_>) -> Vec<String> {
    labels::tags(read.all("tag")).unwrap_or_else(|(_, why)| {
        read.refuse("tag", why, "value_error");
        Vec::new()
    })
}

fn sort(read: &mut Reader<'_>) -> Sort {
    let message = "Input should be created_at, updated_at, size or name, with or without a '-' before it";
    read.parsed("sort", message, "enum").unwrap_or_default()
}

fn place(read: &mut Reader<'_>, sort: Sort) -> Option<Place> {
    let message = "Input should be the `next` of an earlier page in the same order";
    read.one("cursor", message, "value_error", |text| sort.place(text))
}

/// Postgres takes no NUL in a text, and no name has one.
fn text(text: &str) -> Option<String> {
    (text.chars().count() <= MAX_TEXT && !text.contains('\0')).then(|| name_key(text))
}

#[cfg(test)]
mod tests {
    use reelgate_common::{
        file::{FileKind, FileState},
        ids::FileId,
        listing::PlaceKey,
    };

    use super::*;
    use crate::{
        error::{Detail, Violation},
        query::DEFAULT_LIMIT,
    };

    fn of(query: &str) -> Result<FileFilter, ApiError> {
        parse(&Query::parse(Some(query)), &UserId::new("alice"))
    }

    fn wrong(query: &str) -> Vec<String> {
        let Detail::Invalid(wrong) = of(query).unwrap_err().detail else { panic!() };
        let name = |violation: &Violation| serde_json::to_value(&violation.loc[1]).unwrap();
        wrong.iter().map(|violation| name(violation).as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn filters_are_read() {
        let filter = of("state=ready,failed&state=staged&kind=video&owner=me&limit=200&trashed=true").unwrap();
        assert_eq!(filter.states, [FileState::Ready, FileState::Failed, FileState::Staged]);
        assert_eq!((filter.kinds, filter.limit, filter.trashed), (vec![FileKind::Video], 200, true));
        assert_eq!(filter.owner, Some(UserId::new("alice")));
        let filter = of("q=%C3%9Cber%25&tag=a&tag=b&tag=a&size_min=1&size_max=9&owner=bob").unwrap();
        assert_eq!((filter.name.as_deref(), filter.tags), (Some("über%"), vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!((filter.size_min, filter.size_max, filter.owner), (Some(1), Some(9), Some(UserId::new("bob"))));
        let filter = of("created_after=2026-11-30T12:00:00Z&created_before=2026-11-30T13:00:00%2B01:00").unwrap();
        assert!(filter.created_after.is_some() && filter.created_after == filter.created_before);
    }

    #[test]
    fn what_is_empty_narrows_nothing() {
        let filter = of("state=&kind=,&owner=&q=&tag=&sort=&cursor=&trashed=&size_min=").unwrap();
        assert!(filter.states.is_empty() && filter.kinds.is_empty() && filter.tags.is_empty() && filter.name.is_none());
        assert_eq!((filter.limit, filter.sort, filter.trashed), (DEFAULT_LIMIT, Sort::default(), false));
    }

    #[test]
    fn each_wrong_one_is_named() {
        let all = wrong(
            "state=x&kind=y&limit=0&cursor=z&sort=owner&created_after=now&created_before=x&size_min=-1&size_max=x\
             &trashed=1&tag=a,b&expires_before=x&q=%00&owner=%00",
        );
        let named = "sort state kind owner created_after created_before size_min size_max q tag expires_before trashed \
                     cursor limit";
        assert_eq!(all, named.split_whitespace().collect::<Vec<_>>());
        for one in ["limit=201", "limit=-1", "limit=x", "state=ready,x"] {
            assert!(of(one).is_err(), "{one}");
        }
        assert_eq!(wrong(&format!("q={}", "x".repeat(256))), ["q"]);
    }

    #[test]
    fn a_cursor_of_another_order_is_refused() {
        let place = Place { key: PlaceKey::Text("a".to_owned()), id: FileId::new() };
        let cursor = "name".parse::<Sort>().unwrap().cursor(&place);
        assert_eq!(of(&format!("sort=name&cursor={cursor}")).unwrap().after, Some(place));
        assert_eq!(wrong(&format!("sort=-name&cursor={cursor}")), ["cursor"]);
        assert_eq!(wrong(&format!("cursor={}", FileId::new())), ["cursor"], "as an older build gave them");
    }
}
