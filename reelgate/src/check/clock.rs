//! Whether another clock goes as ours. Leases and times of the rows are the database's, tokens are ours, signatures of S3 hold for minutes.

use reelgate_common::timestamp::Timestamp;

use super::finding::Finding;

/// Tokens live for five minutes and are dated by one gateway for another; well below that.
const MOST_MS: i64 = 5_000;
const ADVICE: &str =
    "keep the clocks of all machines in step (chrony, systemd-timesyncd): tokens and signatures hold for minutes";

/// `theirs` was read at some time between `before` and `after`; `grain_ms` is how finely it is told.
pub(super) fn judged(
    what: &'static str,
    theirs: Timestamp,
    (before, after): (Timestamp, Timestamp),
    grain_ms: i64,
) -> Finding {
    let ahead = theirs.0 - after.0;
    let behind = before.0 - (theirs.0 + grain_ms);
    let off = ahead.max(behind).max(0);
    if off <= MOST_MS {
        return Finding::ok(what, format!("within {:.1} s of ours", seconds(off + (after.0 - before.0) + grain_ms)));
    }
    let way = if ahead > 0 { "ahead of" } else { "behind" };
    Finding::wrong(what, format!("{:.1} s {way} ours", seconds(off)), ADVICE)
}

fn seconds(ms: i64) -> f64 {
    std::time::Duration::from_millis(ms.unsigned_abs()).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::Level;

    fn level(theirs: i64, grain: i64) -> Level {
        judged("clock", Timestamp(theirs), (Timestamp(100_000), Timestamp(100_200)), grain).level
    }

    #[test]
    fn a_clock_is_wrong_only_beyond_what_the_way_and_its_grain_explain() {
        for (theirs, grain, expected) in [
            (100_100, 0, Level::Ok),
            (105_200, 0, Level::Ok),
            (105_201, 0, Level::Wrong),
            (95_000, 0, Level::Ok),
            (94_999, 0, Level::Wrong),
            (94_999, 1_000, Level::Ok),
        ] {
            assert_eq!(level(theirs, grain), expected, "{theirs} {grain}");
        }
        let text = judged("clock", Timestamp(0), (Timestamp(100_000), Timestamp(100_200)), 0).text();
        assert!(text.starts_with("WRONG clock: 100.0 s behind ours\n      keep"), "{text}");
    }
}
