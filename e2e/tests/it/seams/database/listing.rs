//! Lists: every order, every filter, and pages that hold while files come and go.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reelgate_common::{
    db::{ChangedFile, Db, FileChange, FileFilter, FileWithRenditions, Removal, Removed},
    file::{FileKind, FileState},
    ids::{FileId, OrgId, UserId},
    labels::Labels,
    listing::{PlaceKey, Sort, SortBy, name_key},
    timestamp::Timestamp,
};

use super::{on_both, setup::*};

on_both!(
    pages_put_together_are_the_whole_list_in_every_order,
    pages_hold_while_files_come_and_go,
    each_filter_narrows_to_what_it_says,
    text_in_names_is_found_whatever_its_letters,
    what_is_said_about_a_file_is_kept_and_found,
    names_of_older_builds_are_folded_later,
);

/// Names that folding, escaping and collations stumble over; some are alike.
const NAMES: [&str; 12] = [
    "a.mp4",
    "A.mp4",
    "b_1.mp4",
    "b%1.mp4",
    "bx1.mp4",
    "Über.mp4",
    "über.mp4",
    "zebra.mp4",
    "Дом.mov",
    "cafe\u{301}.mov",
    "Z.mp4",
    "back\\slash.mp4",
];

/// Numbers that look like chance and are the same each time.
struct Dice(usize);

impl Dice {
    fn below(&mut self, count: usize) -> usize {
        self.0 = (self.0 * 1_103 + 12_347) % 65_521;
        self.0 % count
    }

    fn name(&mut self) -> &'static str {
        NAMES[self.below(NAMES.len())]
    }
}

/// An accepted file of this name and size.
async fn named(db: &Db, org: &OrgId, name: &str, size: u64) -> Result<FileId> {
    let mut new = new_file(org);
    name.clone_into(&mut new.filename);
    db.create_file(&new).await?;
    let as_sent = reelgate_common::db::StagedFile { size_bytes: size, ..staged(FileState::Ready) };
    db.stage_file(org, new.id, &as_sent, None).await?.context("was not staged")?;
    Ok(new.id)
}

/// All pages in order; `between` happens after each.
async fn walk(
    db: &Db,
    org: &OrgId,
    mut filter: FileFilter,
    mut between: impl AsyncFnMut() -> Result<()>,
) -> Result<Vec<FileWithRenditions>> {
    let mut walked = Vec::new();
    loop {
        let page = db.list_files(org, &filter).await?;
        let Some(last) = page.last() else { return Ok(walked) };
        // As a client has it: through the cursor.
        let cursor = filter.sort.cursor(&filter.sort.place_of(&last.file));
        filter.after = Some(filter.sort.place(&cursor).context("its own cursor")?);
        walked.extend(page);
        between().await?;
    }
}

/// By the key, then by id, in one direction.
fn sorted(mut rows: Vec<FileWithRenditions>, sort: Sort) -> Vec<FileId> {
    rows.sort_by_key(|row| {
        let (number, text) = match sort.place_of(&row.file).key {
            PlaceKey::Number(number) => (number, String::new()),
            PlaceKey::Text(text) => (0, text),
        };
        (number, text, row.file.id)
    });
    if sort.descending {
        rows.reverse();
    }
    ids(&rows)
}

fn ids(rows: &[FileWithRenditions]) -> Vec<FileId> {
    rows.iter().map(|row| row.file.id).collect()
}

async fn pages_put_together_are_the_whole_list_in_every_order(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let mut dice = Dice(7);
    for n in 0..40 {
        named(db, &acme, dice.name(), n % 7).await?;
        named(db, &org("other"), "other.mp4", n).await?;
    }
    for word in Sort::ALL {
        let sort: Sort = word.parse()?;
        for limit in [1, 7, 40, 200] {
            let filter = FileFilter { sort, limit, ..FileFilter::default() };
            let walked = walk(db, &acme, filter, async || Ok(())).await?;
            assert_eq!(walked.len(), 40, "{word} by {limit}");
            assert_eq!(ids(&walked), sorted(walked.clone(), sort), "{word} by {limit}");
            if sort.by == SortBy::Name {
                assert!(walked.iter().all(|row| row.file.name_key == name_key(&row.file.filename)));
            }
        }
    }
    Ok(())
}

async fn pages_hold_while_files_come_and_go(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    let mut dice = Dice(8);
    let mut stay = Vec::new();
    for n in 0..20 {
        stay.push(named(db, &acme, dice.name(), n % 5).await?);
    }
    for word in Sort::ALL.iter().filter(|word| !word.ends_with("updated_at")) {
        let filter = FileFilter { sort: word.parse()?, limit: 3, ..FileFilter::default() };
        let mut guests = Vec::new();
        for n in 0..10 {
            guests.push(named(db, &acme, dice.name(), n % 5).await?);
        }
        // Between two pages one goes, often the very one that the last page ended with, and one comes; for a while only.
        let mut left = 15;
        let walked = walk(db, &acme, filter, async || {
            if left > 0 && !guests.is_empty() {
                left -= 1;
                let gone = guests.swap_remove(dice.below(guests.len()));
                ensure!(
                    db.remove_file(&acme, gone, Removal::ToTrash(Duration::from_secs(60))).await? == Removed::Trashed
                );
                guests.push(named(db, &acme, dice.name(), 3).await?);
            }
            Ok(())
        })
        .await?;
        let mut seen: Vec<FileId> = ids(&walked).into_iter().filter(|id| stay.contains(id)).collect();
        let whole = FileFilter { sort: word.parse()?, limit: 200, ..FileFilter::default() };
        let order: Vec<FileId> =
            ids(&db.list_files(&acme, &whole).await?).into_iter().filter(|id| stay.contains(id)).collect();
        assert_eq!(seen, order, "{word}");
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), stay.len(), "{word}");
        for guest in guests {
            db.delete_file(&acme, guest).await?;
        }
    }
    Ok(())
}

async fn found(db: &Db, org: &OrgId, filter: FileFilter) -> Result<Vec<String>> {
    let rows = db.list_files(org, &FileFilter { sort: "name".parse()?, limit: 50, ..filter }).await?;
    Ok(rows.into_iter().map(|row| row.file.filename).collect())
}

async fn each_filter_narrows_to_what_it_says(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    named(db, &acme, "small", 10).await?;
    let middle = named(db, &acme, "middle", 20).await?;
    named(db, &acme, "tall", 30).await?;
    let mut new = new_file(&acme);
    (new.filename, new.owner_id) = ("upload".to_owned(), UserId::new("bob"));
    db.create_file(&new).await?;
    let created = file(db, &acme, middle).await?.created_at;
    let of = async |filter| found(db, &acme, filter).await;
    let all = FileFilter::default;

    assert_eq!(of(FileFilter { size_min: Some(20), ..all() }).await?, ["middle", "tall"]);
    assert_eq!(of(FileFilter { size_min: Some(20), size_max: Some(29), ..all() }).await?, ["middle"]);
    assert_eq!(of(FileFilter { owner: Some(UserId::new("bob")), ..all() }).await?, ["upload"]);
    assert_eq!(of(FileFilter { states: vec![FileState::Uploading], ..all() }).await?, ["upload"]);
    let both = vec![FileState::Uploading, FileState::Ready];
    assert_eq!(of(FileFilter { states: both, ..all() }).await?.len(), 4);
    assert_eq!(of(FileFilter { kinds: vec![FileKind::Video], ..all() }).await?, ["middle", "small", "tall"]);
    assert_eq!(of(FileFilter { kinds: vec![FileKind::Audio], ..all() }).await?, [""; 0]);
    assert!(of(FileFilter { created_after: Some(created), ..all() }).await?.contains(&"middle".to_owned()));
    assert!(!of(FileFilter { created_before: Some(created), ..all() }).await?.contains(&"middle".to_owned()));
    assert_eq!(of(FileFilter { created_before: Some(Timestamp(0)), ..all() }).await?.len(), 0);

    let end = db.clock().await?.plus(Duration::from_secs(3_600));
    let ends = FileChange { expires_at: Some(Some(end)), ..FileChange::default() };
    assert!(matches!(db.change_file(&acme, middle, &ends).await?, ChangedFile::Done(_)));
    let before = |at| FileFilter { expires_before: Some(at), ..FileFilter::default() };
    assert_eq!(of(before(Timestamp(end.0 + 1))).await?, ["middle"]);
    assert_eq!(of(before(end)).await?, [""; 0]);
    Ok(())
}

async fn text_in_names_is_found_whatever_its_letters(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    for name in NAMES {
        named(db, &acme, name, 1).await?;
    }
    for (text, count) in [
        ("%", 1),
        ("_", 1),
        ("\\", 1),
        ("b%1", 1),
        ("b_1", 1),
        ("b%", 1),
        ("ÜBER", 2),
        ("ДОМ", 1),
        ("caf\u{e9}", 1),
        ("CAFE\u{301}", 1),
        ("cafe.", 0),
        (".MP4", 10),
        ("'", 0),
        ("a.mp4\" OR 1=1", 0),
    ] {
        let filter = FileFilter { name: Some(name_key(text)), ..FileFilter::default() };
        assert_eq!(found(db, &acme, filter).await?.len(), count, "{text}");
    }
    Ok(())
}

async fn tagged(db: &Db, org: &OrgId, tags: &[&str]) -> Result<Vec<String>> {
    let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
    found(db, org, FileFilter { tags, ..FileFilter::default() }).await
}

async fn what_is_said_about_a_file_is_kept_and_found(place: Place) -> Result<()> {
    let (db, acme, other) = (&place.db, org("acme"), org("other"));
    let mut new = new_file(&acme);
    new.labels = Labels {
        tags: vec!["b".to_owned(), "a".to_owned()],
        metadata: [("k".to_owned(), "v".to_owned())].into(),
        expires_at: Some(db.clock().await?.plus(Duration::from_secs(3_600))),
    };
    db.create_file(&new).await?;
    assert_eq!(file(db, &acme, new.id).await?.labels, new.labels);
    assert_eq!(tagged(db, &acme, &["a", "b"]).await?, ["clip.mp4"]);
    assert_eq!(tagged(db, &acme, &["a", "c"]).await?, [""; 0]);
    assert_eq!(tagged(db, &other, &["a"]).await?, [""; 0]);

    let change = FileChange {
        filename: Some("Über.mp4".to_owned()),
        tags: Some(vec!["c".to_owned()]),
        metadata: [("k".to_owned(), None), ("l".to_owned(), Some("w".to_owned()))].into(),
        expires_at: Some(None),
        unchanged_since: None,
    };
    assert!(matches!(db.change_file(&other, new.id, &change).await?, ChangedFile::NoSuchFile));
    let before = file(db, &acme, new.id).await?;
    let ChangedFile::Done(row) = db.change_file(&acme, new.id, &change).await? else { panic!() };
    assert_eq!((row.file.filename.as_str(), row.file.labels.tags.as_slice()), ("Über.mp4", &["c".to_owned()][..]));
    assert_eq!(row.file.labels.metadata, [("l".to_owned(), "w".to_owned())].into());
    assert_eq!((row.file.labels.expires_at, &row.file.location), (None, &before.location));
    assert_eq!((tagged(db, &acme, &["c"]).await?.len(), tagged(db, &acme, &["a"]).await?.len()), (1, 0));

    let late = FileChange { unchanged_since: Some(before.updated_at), ..FileChange::default() };
    assert!(matches!(db.change_file(&acme, new.id, &late).await?, ChangedFile::Moved));
    let seen = FileChange { unchanged_since: Some(row.file.updated_at), ..FileChange::default() };
    assert!(matches!(db.change_file(&acme, new.id, &seen).await?, ChangedFile::Done(_)));
    let much = (0..64).map(|n| (n.to_string(), Some(String::new()))).collect();
    let much = FileChange { metadata: much, tags: Some(Vec::new()), ..FileChange::default() };
    assert!(matches!(db.change_file(&acme, new.id, &much).await?, ChangedFile::TooMuch(_)));
    assert_eq!(tagged(db, &acme, &["c"]).await?.len(), 1, "nothing of it was changed");

    db.delete_file(&acme, new.id).await?;
    db.purge_file(new.id).await?;
    assert!(matches!(db.change_file(&acme, new.id, &change).await?, ChangedFile::NoSuchFile));
    Ok(())
}

async fn names_of_older_builds_are_folded_later(place: Place) -> Result<()> {
    let (db, acme) = (&place.db, org("acme"));
    named(db, &acme, "Über.mp4", 1).await?;
    let filter = || FileFilter { name: Some(name_key("ÜB")), ..FileFilter::default() };
    place.tamper("UPDATE files SET name_key = ''").await?;
    assert_eq!(found(db, &acme, filter()).await?.len(), 0);
    assert_eq!(db.fold_names(10).await?, 1);
    assert_eq!(found(db, &acme, filter()).await?, ["Über.mp4"]);
    assert_eq!(db.fold_names(10).await?, 0);
    Ok(())
}
