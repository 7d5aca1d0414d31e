//! What a playlist says of a track's pictures: frame rate, exactly where it is constant, and range of brightness.

use crate::{
    sample_entry::{Colour, VideoEntry},
    tables::SampleTables,
    track::Track,
};

use super::summary::{VideoRange, VideoSummary};

pub(super) fn video_facts(track: &Track, video: &VideoEntry) -> VideoSummary {
    VideoSummary {
        width: u32::from(video.width),
        height: u32::from(video.height),
        frame_rate: frame_rate(&track.tables, track.timescale),
        video_range: video_range(video.colour),
    }
}

/// By the transfer characteristics of ITU-T H.273.
fn video_range(colour: Option<Colour>) -> VideoRange {
    match colour.map(|colour| colour.transfer) {
        Some(16) => VideoRange::Pq,
        Some(18) => VideoRange::Hlg,
        _ => VideoRange::Sdr,
    }
}

/// Frames per second. One odd duration, mostly the last, does not make a constant rate vary.
fn frame_rate(tables: &SampleTables, timescale: u32) -> (u32, u32) {
    let samples = u64::from(tables.sizes.count());
    let constant = tables.times.iter().find(|run| u64::from(run.count) + 1 >= samples && run.delta > 0);
    match constant {
        Some(run) => reduce(u64::from(timescale), u64::from(run.delta)),
        None => reduce(samples * u64::from(timescale), tables.duration()),
    }
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
    use crate::tables::{SampleSizes, TimeRun};

    fn rate(times: &[(u32, u32)], timescale: u32) -> (u32, u32) {
        let count = times.iter().map(|(count, _)| count).sum();
        let times = times.iter().map(|(count, delta)| TimeRun { count: *count, delta: *delta }).collect();
        let sizes = SampleSizes::Constant { size: 1, count };
        frame_rate(&SampleTables { times, sizes, ..SampleTables::default() }, timescale)
    }

    #[test]
    fn a_constant_rate_is_exact_and_a_varying_one_is_the_average() {
        assert_eq!(rate(&[(99, 1001), (1, 5)], 30_000), (30_000, 1001));
        assert_eq!(rate(&[(100, 512)], 12_800), (25, 1));
        assert_eq!(rate(&[(50, 40), (50, 60)], 1000), (20, 1));
        assert_eq!(rate(&[(u32::MAX / 2, 4_000_000_007), (7, 13)], 999_999_937).1, 1000);
    }
}
