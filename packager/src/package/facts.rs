//! What a playlist says of a track's pictures: frame rate, exactly where it is constant, and range of brightness.

use crate::{hevc::read_hvcc_colour, sample_entry::VideoEntry, tables::SampleTables, track::Track, vui::Colour};

use super::summary::{VideoRange, VideoSummary};

pub(super) fn video_facts(track: &Track, video: &VideoEntry) -> VideoSummary {
    VideoSummary {
        width: u32::from(video.width),
        height: u32::from(video.height),
        frame_rate: frame_rate(&track.tables, track.timescale),
        video_range: video_range(colour(video)),
    }
}

/// As the container says, else as the parameter sets do.
fn colour(video: &VideoEntry) -> Option<Colour> {
    let by_avc = || video.avc.as_ref()?.sps.iter().find_map(|sps| sps.colour);
    let hevc = || video.config.as_ref().filter(|(kind, _)| kind.0 == *b"hvcC");
    let by_hevc = || read_hvcc_colour(&hevc()?.1);
    video.colour.or_else(by_avc).or_else(by_hevc)
}

/// By the transfer characteristics of ITU-T H.273.
fn video_range(colour: Option<Colour>) -> VideoRange {
    match colour.map(|colour| colour.transfer) {
        Some(16) => VideoRange::Pq,
        Some(18) => VideoRange::Hlg,
        _ => VideoRange::Sdr,
    }
}

/// Frames per second. A few odd durations do not make a constant rate vary, and a last one unlike those before it says nothing
/// about the rate: writers make up how long the last frame is shown.
fn frame_rate(tables: &SampleTables, timescale: u32) -> (u32, u32) {
    let samples = u64::from(tables.sizes.count());
    if let Some(delta) = usual_delta(tables, samples) {
        return reduce(u64::from(timescale), u64::from(delta));
    }
    let last = tables.times.last().filter(|run| run.count == 1).map_or(0, |run| u64::from(run.delta));
    match tables.duration().saturating_sub(last) {
        shown if last > 0 && shown > 0 => reduce((samples - 1) * u64::from(timescale), shown),
        _ => reduce(samples * u64::from(timescale), tables.duration()),
    }
}

/// The duration that all samples have but two, or but one in a hundred.
fn usual_delta(tables: &SampleTables, samples: u64) -> Option<u32> {
    let delta = majority(tables)?;
    let same = tables.times.iter().filter(|run| run.delta == delta).map(|run| u64::from(run.count)).sum::<u64>();
    let odd = samples.saturating_sub(same);
    (delta > 0 && odd <= 2.max(samples / 100) && odd < same).then_some(delta)
}

/// The only duration that more than half of the samples can have (Boyer and Moore's vote).
fn majority(tables: &SampleTables) -> Option<u32> {
    let (mut leads, mut by) = (None, 0_u64);
    for run in &tables.times {
        let votes = u64::from(run.count);
        if leads == Some(run.delta) {
            by += votes;
        } else if votes > by {
            (leads, by) = (Some(run.delta), votes - by);
        } else {
            by -= votes;
        }
    }
    leads
}

/// In lowest terms; in thousandths where these do not fit.
fn reduce(num: u64, den: u64) -> (u32, u32) {
    let den = den.max(1);
    let divisor = gcd(num, den).max(1);
    match (u32::try_from(num / divisor), u32::try_from(den / divisor)) {
        (Ok(num), Ok(den)) => (num, den),
        _ => {
            let thousandths = u128::from(num) * 1000 / u128::from(den);
            (u32::try_from(thousandths).unwrap_or(u32::MAX), 1000)
        }
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        avc::{AvcConfig, Sps},
        tables::{SampleSizes, TimeRun},
    };

    fn rate(times: &[(u32, u32)], timescale: u32) -> (u32, u32) {
        let count = times.iter().map(|(count, _)| count).sum();
        let times = times.iter().map(|(count, delta)| TimeRun { count: *count, delta: *delta }).collect();
        let sizes = SampleSizes::Constant { size: 1, count };
        frame_rate(&SampleTables { times, sizes, ..SampleTables::default() }, timescale)
    }

    #[test]
    fn a_constant_rate_is_exact_and_a_varying_one_is_the_average() {
        assert_eq!(rate(&[(99, 1001), (1, 5)], 30_000), (30_000, 1001));
        assert_eq!(rate(&[(50, 1001), (1, 1500), (48, 1001), (1, 5)], 30_000), (30_000, 1001));
        assert_eq!(rate(&[(1, 40)], 1000), (25, 1));
        assert_eq!(rate(&[(100, 512)], 12_800), (25, 1));
        assert_eq!(rate(&[(50, 40), (50, 60)], 1000), (20, 1));
        assert_eq!(rate(&[(u32::MAX / 2, 4_000_000_007), (u32::MAX / 2 - 7, 13)], 999_999_937).1, 1000);
    }

    #[test]
    fn a_long_last_frame_does_not_slow_the_film_down() {
        // 24 frames a second in milliseconds.
        let mut times: Vec<(u32, u32)> = (0..80).flat_map(|_| [(2, 42), (1, 41)]).collect();
        times.push((1, 400));
        let (num, den) = rate(&times, 1000);
        assert_eq!((u64::from(num) * 1000 + u64::from(den) / 2) / u64::from(den), 24_000);
    }

    #[test]
    fn colour_is_the_containers_else_that_of_the_parameter_sets() {
        let colour = |transfer| Colour { primaries: 9, transfer, matrix: 9, full_range: false };
        let sps = |colour| Sps {
            profile: 100,
            compatibility: 0,
            level: 40,
            chroma: 1,
            luma_bits: 8,
            chroma_bits: 8,
            frame_mbs_only: true,
            width: 16,
            height: 16,
            sample_aspect: None,
            colour,
        };
        let range = |container: Option<u16>, coded: Option<u16>| {
            let sps = vec![sps(None), sps(coded.map(colour))];
            let avc = AvcConfig { profile: 100, compatibility: 0, level: 40, nal_length: 4, sps, raw: Vec::new() };
            let entry = VideoEntry { avc: Some(avc), colour: container.map(colour), ..VideoEntry::default() };
            video_range(super::colour(&entry))
        };
        assert_eq!(range(None, Some(18)), VideoRange::Hlg);
        assert_eq!(range(Some(16), Some(18)), VideoRange::Pq);
        assert_eq!(range(Some(1), Some(18)), VideoRange::Sdr);
        assert_eq!(range(None, None), VideoRange::Sdr);
    }
}
