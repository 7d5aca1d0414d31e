//! What a source promised and did not keep, in words for people: it ends early, or parts of it did not decode. Pure.

use reelgate_common::media_info::Reason;

/// A shortfall under this, or under so many thousandths of the whole, is how containers round.
const ROUNDING_MS: u64 = 1_000;
const ROUNDING_SHARE: u64 = 20;

/// How far a pass over the whole source came.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reached {
    /// What the container says; 0 when it says nothing.
    pub(super) stated_ms: u64,
    /// Where the last picture ends; `None` for a source without pictures.
    pub(super) pictures_ms: Option<u64>,
    /// Where the longest sound ends; `None` for a source without sound.
    pub(super) sound_ms: Option<u64>,
    /// Packets that did not decode.
    pub(super) damaged: u32,
}

impl Reached {
    pub(super) fn warnings(self) -> Vec<Reason> {
        let whole = self.pictures_ms.max(self.sound_ms).unwrap_or(0);
        let mut warnings = Vec::new();
        let mut warn = |code: &str, message: String| warnings.push(Reason { code: code.to_owned(), message });
        if falls_short(whole, self.stated_ms) {
            let (read, stated) = (seconds(whole), seconds(self.stated_ms));
            warn("cut_off", format!("The file says that it lasts {stated}, but only {read} of it could be read."));
        } else if let Some(pictures) = self.pictures_ms.filter(|pictures| falls_short(*pictures, whole)) {
            let (pictures, whole) = (seconds(pictures), seconds(whole));
            warn("video_ends_early", format!("The picture ends at {pictures}, the sound goes on to {whole}."));
        }
        if self.damaged > 0 {
            let packets = if self.damaged == 1 { "One packet".to_owned() } else { format!("{} packets", self.damaged) };
            warn("damaged", format!("{packets} of the file could not be decoded; what lies around them is shown."));
        }
        warnings
    }
}

fn falls_short(reached: u64, of: u64) -> bool {
    of.saturating_sub(reached) > ROUNDING_MS.max(of / 1_000 * ROUNDING_SHARE)
}

fn seconds(millis: u64) -> String {
    format!("{}.{} s", millis / 1_000, millis % 1_000 / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(reached: Reached) -> Vec<String> {
        reached.warnings().into_iter().map(|warning| warning.code).collect()
    }

    #[test]
    fn a_whole_source_is_no_cause_for_words() {
        let whole = Reached { stated_ms: 60_000, pictures_ms: Some(59_960), sound_ms: Some(60_010), damaged: 0 };
        assert!(codes(whole).is_empty());
        assert!(codes(Reached { stated_ms: 0, ..whole }).is_empty());
        assert!(
            codes(Reached { stated_ms: 3_600_000, pictures_ms: Some(3_540_000), sound_ms: None, damaged: 0 })
                .is_empty()
        );
    }

    #[test]
    fn what_is_missing_is_named_once() {
        let cut = Reached { stated_ms: 60_000, pictures_ms: Some(20_000), sound_ms: Some(21_500), damaged: 3 };
        assert_eq!(codes(cut), ["cut_off", "damaged"]);
        assert!(cut.warnings()[0].message.contains("lasts 60.0 s, but only 21.5 s"));
        assert_eq!(codes(Reached { sound_ms: Some(60_000), damaged: 0, ..cut }), ["video_ends_early"]);
        assert_eq!(codes(Reached { pictures_ms: None, ..cut }), ["cut_off", "damaged"]);
    }
}
