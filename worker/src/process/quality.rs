//! The search for a ladder by quality: a child encodes samples of the film, pass after pass, until it is known what each rung needs.
//! What a search stumbles over costs nobody a film: it is encoded as without one, and the plan says why.

use std::{collections::HashMap, path::Path};

use reelgate_common::{media_info::MediaInfo, step};

use super::{Work, inspect::Inspected, source::Source};
use crate::{
    halt::{Halt, is_lack},
    memory::{self, Thrifty},
    plan::{
        Plan, Quality, VideoStep,
        quality::{Measured, Search, Stretch, stretches, wants_search},
    },
    spans::traced,
    task::{
        parent::Order,
        protocol::{Event, Request},
        verdict::OUT_OF_MEMORY,
    },
};

/// How far an attempt is when the search is over.
pub(super) const SEARCHED: f64 = 0.1;
const NOT_SEARCHED: &str = "no search for quality";

/// Makes the ladder of `plan` what its film needs, as an earlier attempt has found or this one does. Gives whether there is something
/// new to be written down.
///
/// # Errors
/// The task cannot be run for want of something, the fence does not hold, or a service stays away.
pub(super) async fn settle(work: &Work, source: &Source, inspected: &Inspected, plan: &mut Plan) -> Result<bool, Halt> {
    let (media, policy) = (&inspected.media, &work.config.quality);
    if let Some(found) = work.planned().and_then(|earlier| earlier.quality) {
        plan.adopt(media, &found);
        return Ok(false);
    }
    if let Err(why) = wants_search(media, plan, policy).and_then(|()| not_begun(work, plan)) {
        if policy.enabled {
            plan.explain(NOT_SEARCHED, why);
        }
        return Ok(false);
    }
    match traced(step!("search"), search(work, source, media, plan)).await {
        Ok(Ok(found)) => plan.adopt(media, &found),
        Ok(Err(why)) => plan.explain(NOT_SEARCHED, why),
        // A search takes more memory than what it is for.
        Err(Halt::Failed(failure)) if !is_lack(&failure) || failure.code == OUT_OF_MEMORY => {
            plan.explain(NOT_SEARCHED, failure.message);
        }
        Err(halt) => return Err(halt),
    }
    Ok(true)
}

/// Rungs of one ladder are made by one measure.
fn not_begun(work: &Work, plan: &Plan) -> Result<(), String> {
    let encoded = plan.rungs.iter().filter(|rung| rung.video != VideoStep::Copy);
    match encoded.map(|rung| &rung.name).find(|name| work.has(name)) {
        Some(name) => Err(format!("{name} was made without one")),
        None => Ok(()),
    }
}

/// The inner error says why nothing was found.
async fn search(work: &Work, source: &Source, media: &MediaInfo, plan: &Plan) -> Result<Result<Quality, String>, Halt> {
    let policy = &work.config.quality;
    let (mut search, stretches) = (Search::new(plan, policy), stretches(media.duration_ms, policy));
    for number in 0.. {
        let wanted = search.next();
        if wanted.is_empty() {
            break;
        }
        let folder = work.scratch.folder(&format!("samples-{number}"))?;
        let measured = match pass(work, source, media, (plan.on_trial(&wanted), &stretches), &folder).await? {
            Ok(measured) => measured,
            Err(why) => return Ok(Err(why)),
        };
        let found: Vec<_> = wanted
            .into_iter()
            .filter_map(|(name, crf)| Some((name.clone(), crf, measured.get(&name)?.mean()?)))
            .collect();
        if let Err(why) = search.take(&found) {
            return Ok(Err(why));
        }
    }
    work.progress.advance(SEARCHED);
    let sampled_ms = stretches.into_iter().map(Stretch::length_ms).sum();
    Ok(Ok(search.found(media, plan, sampled_ms)))
}

/// What each rung came to in all stretches together.
async fn pass(
    work: &Work,
    source: &Source,
    media: &MediaInfo,
    (trial, stretches): (Plan, &[Stretch]),
    folder: &Path,
) -> Result<Result<HashMap<String, Sums>, String>, Halt> {
    let rungs = trial.rungs.len();
    let Thrifty { plan, threads, memory_bytes } = work.thrifty(media, trial);
    let memory_bytes = memory_bytes + memory::measuring(&plan);
    if plan.rungs.len() < rungs || memory_bytes > work.tasks.memory.bytes() {
        return Ok(Err("there is not enough memory for it".to_owned()));
    }
    let request = Request::Sample { media: media.clone(), plan, stretches: stretches.to_vec(), threads };
    let order = Order {
        request: &request,
        source: source.whole(work).await?,
        folder,
        scratch: work.scratch.clone(),
        limits: work.encode_limits(memory_bytes),
        progress: None,
    };
    let mut task = work.tasks.start(order, &work.children).await.map_err(|error| Halt::disk(&error))?;
    let mut all: HashMap<String, Sums> = HashMap::new();
    while let Some(event) = task.next().await? {
        match event {
            Event::Measured { name, compared, own, shown, bytes, millis } => {
                all.entry(name).or_default().add(&Sums { compared, own, shown, bytes, millis });
            }
            Event::Refused { failure, .. } => return Ok(Err(failure.message)),
            _ => {}
        }
    }
    Ok(Ok(all))
}

/// Of one rung; the child's word.
#[derive(Debug, Default)]
struct Sums {
    compared: u32,
    own: f64,
    shown: f64,
    bytes: u64,
    millis: u64,
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.compared = self.compared.saturating_add(other.compared);
        self.own += other.own;
        self.shown += other.shown;
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.millis = self.millis.saturating_add(other.millis);
    }

    /// Nothing where it cannot be.
    fn mean(&self) -> Option<Measured> {
        let likeness = |sum: f64| Some(sum / f64::from(self.compared)).filter(|mean| (-1.0..=1.0).contains(mean));
        let bits = u128::from(self.bytes) * 8_000;
        let bitrate = u64::try_from(bits.checked_div(u128::from(self.millis))?).ok()?;
        Some(Measured { own: likeness(self.own)?, shown: likeness(self.shown)?, bitrate })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_count_by_their_pictures() {
        let mut sums = Sums::default();
        assert_eq!(sums.mean(), None);
        sums.add(&Sums { compared: 10, own: 9.0, shown: 8.0, bytes: 1_000, millis: 1_000 });
        sums.add(&Sums { compared: 30, own: 29.0, shown: 28.0, bytes: 3_000, millis: 1_000 });
        assert_eq!(sums.mean(), Some(Measured { own: 0.95, shown: 0.9, bitrate: 16_000 }));
    }

    #[test]
    fn what_cannot_be_is_no_measure() {
        let absurd = |own| Sums { compared: 1, own, shown: 1.0, bytes: 1, millis: 1 }.mean();
        assert_eq!((absurd(1.5), absurd(f64::NAN)), (None, None));
        assert_eq!(Sums { compared: 1, own: 1.0, shown: 1.0, bytes: 1, millis: 0 }.mean(), None);
    }
}
