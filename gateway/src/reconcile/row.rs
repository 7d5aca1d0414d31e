//! What a file's rows say about its objects, and which of those the file has certainly gone beyond.

use std::collections::HashSet;

use reelgate_common::{
    db::{DroppedObject, FileWithRenditions},
    earned,
    file::FileState,
    job::{JobKind, JobRecord, JobState},
    key::Key,
    piece::is_piece_name,
    rendition::Rendition,
    states::job::is_open,
    still::{MadeStill, Still},
};

/// What the database says about a file's objects.
#[derive(Debug)]
pub(super) struct Row {
    source_key: Key,
    /// Its bytes are still coming.
    uploading: bool,
    generation: i64,
    /// Attempts up to this one are over.
    last_over: i64,
    /// The same of the thumbnail job, which counts its own.
    last_stills_over: i64,
    /// And of the job that makes earned renditions.
    last_earned_over: i64,
    /// The film's own job is over, and with it whatever was kept to be put together.
    is_over: bool,
    /// (attempt, name) of every object that a rendition is made of, its segment index included, of every still, and of what was dropped and
    /// goes by itself.
    named: HashSet<(i64, String)>,
    /// Captions that people have added.
    captions: HashSet<String>,
    /// Generations that somebody still watches.
    pinned: HashSet<i64>,
}

impl Row {
    pub(super) fn new(
        found: &FileWithRenditions,
        jobs: &[JobRecord],
        stills: &[(i64, MadeStill)],
        dropped: &[DroppedObject],
        pinned: HashSet<i64>,
    ) -> Self {
        let generation = found.file.generation;
        let of_renditions = found
            .renditions
            .iter()
            .flat_map(|rendition| rendition.outputs().map(|name| (rendition.attempt, name.to_owned())));
        let of_stills =
            stills.iter().filter(|(of, _)| *of == generation).map(|(_, made)| (made.attempt, made.still.name()));
        let of_dropped = dropped.iter().filter(|object| object.generation == generation);
        let of_dropped = of_dropped.map(|object| (object.attempt, object.name.clone()));
        Self {
            source_key: found.file.source_key.clone(),
            uploading: found.file.state == FileState::Uploading,
            generation,
            last_over: last_over(jobs, generation, JobKind::Process),
            last_stills_over: last_over(jobs, generation, JobKind::Thumbnail),
            last_earned_over: last_over(jobs, generation, JobKind::Earn),
            is_over: !jobs
                .iter()
                .any(|job| job.generation == generation && job.kind == JobKind::Process && is_open(job.state)),
            named: of_renditions.chain(of_stills).chain(of_dropped).collect(),
            captions: found.renditions.iter().flat_map(Rendition::added).map(str::to_owned).collect(),
            pinned,
        }
    }

    /// Whether the row has certainly gone beyond this object. Never for what the row cannot know yet.
    pub(super) fn has_outlived(&self, key: &Key) -> bool {
        match key {
            Key::Staging { .. } => matches!(self.source_key, Key::Source { .. }),
            Key::Tail { .. } => !self.uploading,
            Key::Output { generation, .. } if *generation != self.generation => {
                *generation < self.generation && !self.pinned.contains(generation)
            }
            Key::Output { name, .. } if is_piece_name(name) => self.is_over,
            Key::Output { attempt, name, .. } => {
                let over = match name {
                    name if Still::is_name(name) => self.last_stills_over,
                    name if earned::is_object_name(name) => self.last_earned_over,
                    _ => self.last_over,
                };
                *attempt <= over && !self.named.contains(&(*attempt, name.clone()))
            }
            Key::Captions { name, .. } => !self.captions.contains(name),
            Key::Source { .. } | Key::Deployment => false,
        }
    }
}

/// Attempts of a job up to this one are over.
fn last_over(jobs: &[JobRecord], generation: i64, kind: JobKind) -> i64 {
    let of = jobs.iter().filter(|job| job.generation == generation && job.kind == kind);
    let over = of.map(|job| if job.state == JobState::Running { job.attempt - 1 } else { job.attempt });
    over.min().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use reelgate_common::{
        ids::{FileId, OrgId},
        piece::SOUND_PIECE,
    };

    use super::*;

    fn output(generation: i64, attempt: i64, name: &str) -> Key {
        let org = OrgId::new("acme");
        let file = "0190b6a0-0000-7000-8000-000000000001".parse().unwrap();
        Key::Output { org, file, generation, attempt, name: name.to_owned() }
    }

    fn row() -> Row {
        let (org, file) = (OrgId::new("acme"), FileId::new());
        let named = HashSet::from([(1, "720p.mp4".to_owned()), (2, "480p.mp4".to_owned())]);
        Row {
            source_key: Key::Source { org, file },
            uploading: false,
            generation: 3,
            last_over: 2,
            last_stills_over: 1,
            last_earned_over: 1,
            is_over: false,
            named,
            captions: HashSet::from(["en-1.vtt".to_owned()]),
            pinned: HashSet::from([1]),
        }
    }

    #[test]
    fn what_a_rendition_names_is_kept_and_what_an_ended_attempt_left_is_not() {
        let row = row();
        assert!(!row.has_outlived(&output(3, 1, "720p.mp4")));
        assert!(!row.has_outlived(&output(3, 2, "480p.mp4")));
        assert!(row.has_outlived(&output(3, 1, "480p.mp4")));
        assert!(row.has_outlived(&output(2, 1, "720p.mp4")));
        assert!(!row.has_outlived(&output(1, 1, "720p.mp4")), "somebody watches it");
    }

    #[test]
    fn stills_are_judged_by_the_attempts_of_their_own_job() {
        assert!(row().has_outlived(&output(3, 1, "still-0-160.jpg")));
        assert!(!row().has_outlived(&output(3, 2, "still-0-160.jpg")), "its attempt may still run");
    }

    #[test]
    fn earned_renditions_are_judged_by_the_attempts_of_their_own_job() {
        let mut row = row();
        row.named.insert((1, "earned-1080p.mp4".to_owned()));
        assert!(!row.has_outlived(&output(3, 1, "earned-1080p.mp4")));
        assert!(row.has_outlived(&output(3, 1, "earned-1080p-av1.mp4")));
        assert!(!row.has_outlived(&output(3, 2, "earned-1080p.mp4")), "its attempt may still run");
    }

    #[test]
    fn pieces_live_as_long_as_their_films_job() {
        assert!(!row().has_outlived(&output(3, 1, "piece-7-720p.mp4")));
        assert!(!row().has_outlived(&output(3, 1, SOUND_PIECE)));
        let over = Row { is_over: true, ..row() };
        assert!(over.has_outlived(&output(3, 9, "piece-7-720p.mp4")));
        assert!(over.has_outlived(&output(3, 1, SOUND_PIECE)));
        assert!(row().has_outlived(&output(2, 1, SOUND_PIECE)));
    }

    #[test]
    fn captions_that_were_replaced_are_left_over() {
        let (org, file) = (OrgId::new("acme"), FileId::new());
        let key = |name: &str| Key::Captions { org: org.clone(), file, name: name.to_owned() };
        assert!(row().has_outlived(&key("en-0.vtt")));
        assert!(!row().has_outlived(&key("en-1.vtt")));
    }

    #[test]
    fn what_the_row_cannot_know_yet_is_kept() {
        let row = row();
        assert!(!row.has_outlived(&output(3, 3, "360p.mp4")));
        assert!(!row.has_outlived(&output(4, 1, "360p.mp4")), "a restored backup is behind its store");
    }

    #[test]
    fn a_staging_object_is_left_over_only_after_promotion() {
        let (org, file) = (OrgId::new("acme"), FileId::new());
        let staging = Key::Staging { org, file };
        assert!(row().has_outlived(&staging));
        assert!(!Row { source_key: staging.clone(), ..row() }.has_outlived(&staging));
    }

    #[test]
    fn a_tail_is_left_over_as_soon_as_its_upload_is_whole() {
        let tail = Key::Tail { org: OrgId::new("acme"), file: FileId::new(), number: 3 };
        assert!(row().has_outlived(&tail));
        assert!(!Row { uploading: true, ..row() }.has_outlived(&tail));
    }
}
