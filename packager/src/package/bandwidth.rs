//! Bit rates of a track, measured from what its segments weigh.

use super::segment::SegmentEntry;

/// Stretches of more segments than this are not looked at: shorter ones of the same track tell enough.
const MAX_STRETCH: usize = 16;

/// Bits per second over all segments.
pub(super) fn average(entries: &[SegmentEntry], timescale: u32) -> u64 {
    rate(entries, timescale)
}

/// Bits per second of the heaviest stretch of segments between half and one and a half target durations long (RFC 8216,
/// 4.1); of everything, when there is none.
pub(super) fn peak(entries: &[SegmentEntry], timescale: u32, target_seconds: u32) -> u64 {
    let target = u64::from(target_seconds) * u64::from(timescale);
    let mut peak = average(entries, timescale);
    for start in 0..entries.len() {
        for stretch in (1..=MAX_STRETCH).map_while(|length| entries.get(start..start + length)) {
            let ticks = ticks(stretch);
            if 2 * ticks > 3 * target {
                break;
            }
            if 2 * ticks >= target {
                peak = peak.max(rate(stretch, timescale));
            }
        }
    }
    peak
}

fn ticks(entries: &[SegmentEntry]) -> u64 {
    entries.iter().map(|entry| u64::from(entry.duration)).sum()
}

fn rate(entries: &[SegmentEntry], timescale: u32) -> u64 {
    let bytes: u64 = entries.iter().map(|entry| u64::from(entry.size)).sum();
    let bits = u128::from(bytes) * 8 * u128::from(timescale);
    u64::try_from(bits.div_ceil(u128::from(ticks(entries).max(1)))).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(list: &[(u32, u32)]) -> Vec<SegmentEntry> {
        let entry =
            |&(duration, size)| SegmentEntry { start: 0, presentation: 0, duration, size, lead: 0, record: 0..0 };
        list.iter().map(entry).collect()
    }

    #[test]
    fn a_short_heavy_rest_counts_with_its_neighbour_only() {
        let entries = entries(&[(4000, 1000), (4000, 3000), (10, 2000)]);
        assert_eq!(peak(&entries, 1000, 4), (5000_u64 * 8000).div_ceil(4010));
        assert_eq!(average(&entries, 1000), (6000_u64 * 8000).div_ceil(8010));
    }

    #[test]
    fn nothing_is_nothing() {
        assert_eq!(peak(&[], 1, 0), 0);
    }
}
