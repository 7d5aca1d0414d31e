//! The thumbnail job: takes what its file is wanted to have, makes it out of the smallest rendition that will do, and looks
//! again until nothing more is wanted. Only the index and the few groups of pictures that are looked at are fetched.

mod film;

use std::{collections::BTreeMap, fs::File, path::Path};

use reelgate_common::{
    db::{Fenced, FinishedStills},
    rendition::{Rendition, RenditionKind},
    still::Still,
};

use self::film::StoredFilm;
use super::{Work, image_size::image_size, output, store};
use crate::{
    halt::{Halt, is_lack},
    task::{
        parent::Order,
        protocol::{Event, Request, StillOrder},
        words::clean_failure,
    },
};

/// Made by one task.
const BATCH: u64 = 64;
/// One of them is smaller.
pub(super) const MAX_BYTES: u64 = 8 << 20;

/// # Errors
/// Why it ended early.
pub(super) async fn run(work: &Work) -> Result<(), Halt> {
    let (db, fence) = (&work.backends.db, &work.attempt.fence);
    for round in 0_u32.. {
        let wanted = work.patience.keep_trying("looking for thumbnails", || db.wanted_stills(fence, BATCH)).await?;
        if wanted.is_empty() {
            match work.patience.keep_trying("finishing the job", || db.finish_stills(fence)).await? {
                FinishedStills::Done => return Ok(()),
                FinishedStills::More => continue,
                FinishedStills::Stale => return Err(Halt::Stale),
            }
        }
        for (name, stills) in by_rendition(&work.attempt.published, &wanted) {
            match work.attempt.published.iter().find(|rendition| rendition.name == name) {
                Some(rendition) => make(work, rendition, &stills, &format!("stills-{round}-{name}")).await?,
                None => refuse_all(work, &stills, "nothing of the film can be read").await?,
            }
        }
    }
    Ok(())
}

/// What to make out of which rendition; an empty name for what none has.
fn by_rendition(renditions: &[Rendition], wanted: &[Still]) -> BTreeMap<String, Vec<Still>> {
    let mut groups: BTreeMap<String, Vec<Still>> = BTreeMap::new();
    for still in wanted {
        let name = suited(renditions, still.width).map(|rendition| rendition.name.clone()).unwrap_or_default();
        groups.entry(name).or_default().push(*still);
    }
    groups
}

/// The narrowest film that is wide enough, else the widest.
fn suited(renditions: &[Rendition], width: u32) -> Option<&Rendition> {
    let films = || renditions.iter().filter(|rendition| rendition.kind == RenditionKind::Video);
    let wide = |rendition: &&Rendition| rendition.width.unwrap_or(0);
    films().filter(|film| wide(film) >= width).min_by_key(wide).or_else(|| films().max_by_key(wide))
}

async fn make(work: &Work, rendition: &Rendition, stills: &[Still], folder: &str) -> Result<(), Halt> {
    let film = StoredFilm::of(work, rendition);
    let Some(excerpt) = film.excerpt(stills.iter().map(|still| u64::from(still.second) * 1_000)).await? else {
        return refuse_all(work, stills, "the film's index cannot be read").await;
    };
    let folder = work.scratch.folder(folder)?;
    let request = Request::Stills { orders: stills.iter().map(order).collect() };
    let order = Order {
        request: &request,
        source: excerpt,
        folder: &folder,
        scratch: work.scratch.clone(),
        limits: work.still_limits(),
        progress: None,
    };
    let mut task = work.tasks.start(order, &work.children).await.map_err(|error| Halt::disk(&error))?;
    let mut open = stills.to_vec();
    while let Some(event) = task.next().await? {
        let (name, made) = match event {
            Event::Output(output) => (output.name, true),
            Event::Refused { failure, .. } if is_lack(&failure) => return Err(clean_failure(failure).into()),
            Event::Refused { name, .. } => (name, false),
            _ => continue,
        };
        let Some(at) = open.iter().position(|still| still.name() == name) else { continue };
        let still = open.swap_remove(at);
        match if made { look(&folder, &still) } else { None } {
            Some((file, size)) => publish(work, &still, file, size).await?,
            None => refuse(work, &still, "the picture cannot be decoded").await?,
        }
    }
    refuse_all(work, &open, "the task ended without making it").await
}

fn order(still: &Still) -> StillOrder {
    let time_ms = u64::from(still.second) * 1_000;
    StillOrder { file: still.name(), time_ms, width: still.width, format: still.format }
}

/// The file that the child made, if it is an image as it was ordered.
fn look(folder: &Path, still: &Still) -> Option<(File, u64)> {
    use std::os::unix::fs::FileExt;
    let (file, size) = output::open_plain(&folder.join(still.name()))?;
    let mut bytes = vec![0; usize::try_from(size).ok().filter(|_| size <= MAX_BYTES)?];
    file.read_exact_at(&mut bytes, 0).ok()?;
    let (format, width, height) = image_size(&bytes)?;
    let right = format == still.format && (1..=still.width).contains(&width) && (1..=16_384).contains(&height);
    right.then_some((file, size))
}

async fn publish(work: &Work, still: &Still, file: File, size: u64) -> Result<(), Halt> {
    let (db, fence) = (&work.backends.db, &work.attempt.fence);
    let key = work.key(&still.name());
    let etag = store::store_file(work, &key, file, size).await?;
    work.litter.keep(&key);
    match work.patience.keep_trying("publishing", || db.publish_still(fence, still, size, &etag)).await? {
        Fenced::Written => Ok(()),
        Fenced::Stale => {
            work.litter.object(&key);
            Err(Halt::Stale)
        }
    }
}

async fn refuse_all(work: &Work, stills: &[Still], why: &str) -> Result<(), Halt> {
    for still in stills {
        refuse(work, still, why).await?;
    }
    Ok(())
}

async fn refuse(work: &Work, still: &Still, why: &str) -> Result<(), Halt> {
    let (db, fence) = (&work.backends.db, &work.attempt.fence);
    tracing::info!(file.id = %fence.file_id, name = %still.name(), why, "a thumbnail cannot be made");
    match work.patience.keep_trying("refusing", || db.refuse_still(fence, still, why)).await? {
        Fenced::Written => Ok(()),
        Fenced::Stale => Err(Halt::Stale),
    }
}

#[cfg(test)]
mod tests {
    use reelgate_common::{ids::FileId, still::StillFormat, timestamp::Timestamp};

    use super::*;

    fn film(name: &str, kind: RenditionKind, width: u32) -> Rendition {
        Rendition {
            file_id: FileId::new(),
            generation: 1,
            attempt: 1,
            name: name.to_owned(),
            kind,
            content_type: String::new(),
            size_bytes: 1,
            width: Some(width),
            height: None,
            bitrate: None,
            codecs: None,
            duration_ms: None,
            layout: Vec::new(),
            etag: String::new(),
            rank: 0,
            packaging: None,
            details: None,
            earned: false,
            used_at: None,
            created_at: Timestamp(0),
        }
    }

    #[test]
    fn the_narrowest_film_that_is_wide_enough_is_looked_at() {
        let films = [
            film("source", RenditionKind::Video, 1920),
            film("480p", RenditionKind::Video, 854),
            film("poster", RenditionKind::Poster, 1280),
        ];
        let name = |width| suited(&films, width).map(|film| film.name.as_str());
        assert_eq!((name(160), name(1280)), (Some("480p"), Some("source")));
        assert_eq!(suited(&films[1..], 1280).map(|film| film.name.as_str()), Some("480p"));
        assert_eq!(suited(&films[2..], 160), None);
    }

    #[test]
    fn what_one_film_gives_is_made_by_one_task() {
        let films = [film("source", RenditionKind::Video, 1920), film("480p", RenditionKind::Video, 854)];
        let still = |second, width| Still { second, width, format: StillFormat::Jpeg };
        let groups = by_rendition(&films, &[still(1, 160), still(2, 1280), still(3, 640)]);
        assert_eq!(groups["480p"], [still(1, 160), still(3, 640)]);
        assert_eq!(groups["source"], [still(2, 1280)]);
        assert_eq!(by_rendition(&[], &[still(1, 160)])[""], [still(1, 160)]);
    }
}
