//! Renditions that are made when their file has been watched often enough, and go when nobody is shown them any more. Pure: what has
//! been earned and what may be dropped. Who counts, makes and drops is not known here.

mod config;

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

pub use self::config::EarnedPolicy;
use crate::rendition::Rendition;

/// What objects of earned renditions begin with: attempts of their job are counted by themselves, and must never meet the objects of
/// another job's attempt of the same number.
const PREFIX: &str = "earned-";

/// The object of an earned rendition, by what it would be called otherwise.
#[must_use]
pub fn object_name(name: &str) -> String {
    format!("{PREFIX}{name}")
}

/// Whether an output belongs to an attempt of the job that makes earned renditions.
#[must_use]
pub fn is_object_name(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// What a rendition is earned by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// A further size in H.264.
    Rung,
    /// Another codec, which fewer players have and which takes longer to make.
    Codec,
}

/// A rendition that a file's plan holds back, as the plan says it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Promised {
    pub name: String,
    pub level: Level,
}

/// The part of a stored plan that matters here.
#[derive(Deserialize)]
struct Plan {
    #[serde(default)]
    earned: Vec<Promised>,
}

/// What a job has kept back.
#[derive(Deserialize)]
struct Kept {
    #[serde(default)]
    refused: Vec<Refused>,
}

#[derive(Deserialize)]
struct Refused {
    name: String,
}

/// What a file's plan holds back until it has been watched. Plans of older versions hold nothing back.
#[must_use]
pub fn promised(plan: &serde_json::Value) -> Vec<Promised> {
    Plan::deserialize(plan).map(|plan| plan.earned).unwrap_or_default()
}

/// What the job that makes earned renditions could not make: nobody tries it again.
#[must_use]
pub fn refused(plan: &serde_json::Value) -> HashSet<String> {
    let kept = Kept::deserialize(plan).map(|kept| kept.refused).unwrap_or_default();
    kept.into_iter().map(|refused| refused.name).collect()
}

/// Names of what `views` within the window have earned and the file does not have.
#[must_use]
pub fn wanted(
    promised: &[Promised],
    refused: &HashSet<String>,
    published: &[Rendition],
    views: u64,
    policy: &EarnedPolicy,
) -> Vec<String> {
    let missing = |name: &str| !refused.contains(name) && published.iter().all(|rendition| rendition.name != name);
    let earned = |level| views >= policy.views_for(level);
    let wanted = promised.iter().filter(|it| earned(it.level) && missing(&it.name));
    wanted.map(|it| it.name.clone()).collect()
}

/// Why a rendition stays although nobody has been shown it for long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stays {
    /// It was made with the file.
    NotEarned,
    /// Nothing else of the file plays.
    OnlyOne,
    /// Somebody plays the file, and may be led to it by the playlist that he was given.
    Watched,
}

/// Whether it may be dropped, as far as its file and those who play it (`watched`) are concerned.
///
/// # Errors
/// Why not.
pub fn may_drop(rendition: &Rendition, published: &[Rendition], watched: bool) -> Result<(), Stays> {
    if !rendition.earned {
        return Err(Stays::NotEarned);
    }
    if !published.iter().any(|other| !other.earned && other.is_playable()) {
        return Err(Stays::OnlyOne);
    }
    if watched { Err(Stays::Watched) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{ids::FileId, rendition::RenditionKind, timestamp::Timestamp};

    fn rendition(name: &str, earned: bool) -> Rendition {
        Rendition {
            file_id: FileId(uuid::Uuid::nil()),
            generation: 2,
            attempt: 1,
            name: name.to_owned(),
            kind: RenditionKind::Video,
            content_type: "video/mp4".to_owned(),
            size_bytes: 1,
            width: None,
            height: None,
            bitrate: None,
            codecs: None,
            duration_ms: None,
            layout: Vec::new(),
            etag: String::new(),
            rank: 0,
            packaging: None,
            details: None,
            earned,
            used_at: None,
            created_at: Timestamp(0),
        }
    }

    #[test]
    fn what_is_watched_often_enough_and_not_there_is_wanted() {
        let plan = json!({ "rungs": [], "earned": [
            { "name": "1080p", "width": 1920, "level": "rung" },
            { "name": "1080p-av1", "level": "codec" },
            { "name": "720p-av1", "level": "codec" },
        ] });
        let policy = EarnedPolicy { rungs_after_views: 3, codecs_after_views: 5, ..EarnedPolicy::default() };
        let of = |refused: &[&str], published: &[Rendition], views| {
            let refused = refused.iter().map(|name| (*name).to_owned()).collect();
            wanted(&promised(&plan), &refused, published, views, &policy)
        };
        assert!(of(&[], &[], 2).is_empty());
        assert_eq!(of(&[], &[], 3), ["1080p"]);
        assert_eq!(of(&[], &[], 5), ["1080p", "1080p-av1", "720p-av1"]);
        assert_eq!(of(&["720p-av1"], &[rendition("1080p", true)], 5), ["1080p-av1"]);
    }

    #[test]
    fn plans_of_older_versions_promise_nothing_and_refusals_are_found_beside_a_plan() {
        assert!(promised(&json!({ "rungs": [{ "name": "720p" }] })).is_empty());
        assert!(promised(&json!(null)).is_empty());
        let refusal = json!({ "name": "1080p-av1", "code": "output_refused", "message": "no" });
        assert_eq!(refused(&json!({ "rungs": [], "refused": [refusal] })), HashSet::from(["1080p-av1".to_owned()]));
        assert!(refused(&json!({})).is_empty());
    }

    #[test]
    fn only_what_was_earned_goes_and_only_while_nobody_plays_the_file() {
        let (start, earned) = (rendition("720p", false), rendition("1080p", true));
        let both = [start.clone(), earned.clone()];
        assert_eq!(may_drop(&start, &both, false), Err(Stays::NotEarned));
        assert_eq!(may_drop(&earned, &both, false), Ok(()));
        assert_eq!(may_drop(&earned, &both[1..], false), Err(Stays::OnlyOne));
        assert_eq!(may_drop(&earned, &both, true), Err(Stays::Watched));
    }

    #[test]
    fn objects_of_earned_renditions_have_names_of_their_own() {
        assert_eq!(object_name("1080p.mp4"), "earned-1080p.mp4");
        assert!(is_object_name("earned-1080p.index") && !is_object_name("1080p.mp4"));
    }
}
