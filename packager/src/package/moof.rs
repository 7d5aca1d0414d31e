//! Media segments: a `moof` of one track fragment with one run, the header of an `mdat`, and the samples.

use crate::{error::Mp4Error, fourcc::FourCc};

use super::{
    MAX_INLINE_BYTES,
    damage::broken,
    record::{Column, Record, Run, Source},
    segment::{Segment, SegmentEntry, SegmentPiece},
    summary::TrackSummary,
    write::{boxed, words},
};

/// Depends on no other sample.
const SYNC: u32 = 0x0200_0000;
/// Depends on others, and playing cannot begin here.
const NOT_SYNC: u32 = 0x0101_0000;

const DATA_OFFSET: u32 = 0x1;
const FIRST_FLAGS: u32 = 0x4;
const DURATIONS: u32 = 0x100;
const SIZES: u32 = 0x200;
const FLAGS: u32 = 0x400;
const OFFSETS: u32 = 0x800;
/// In `tfhd`: default duration, size and flags are there; offsets count from the `moof`.
const TFHD: u32 = 0x02_0000 | 0x8 | 0x10 | 0x20;

/// Segment `n` (from 0) of a track, from its entry and its record.
///
/// # Errors
/// When the record is not what `build` wrote for this entry.
pub fn media_segment(track: &TrackSummary, n: u32, entry: &SegmentEntry, record: &[u8]) -> Result<Segment, Mp4Error> {
    let record = Record::read(record)?;
    let mut head = fragment_head(track.id, n, entry.start, &record)?;
    if head.len() as u64 + record.bytes() != u64::from(entry.size) {
        return Err(broken("a record is not the one of its entry"));
    }
    let mut pieces = Vec::with_capacity(record.sources.len() + 1);
    for source in record.sources {
        match source {
            Source::Media(range) => {
                if !head.is_empty() {
                    pieces.push(SegmentPiece::Inline(std::mem::take(&mut head)));
                }
                pieces.push(SegmentPiece::Media(range));
            }
            Source::Repeat { count, bytes } => head.extend(bytes.repeat(count as usize)),
        }
    }
    if !head.is_empty() {
        pieces.push(SegmentPiece::Inline(head));
    }
    Ok(Segment { pieces })
}

/// `moof` and the header of `mdat`.
///
/// # Errors
/// `Limit` for more samples than `mdat` or `MAX_INLINE_BYTES` hold.
pub(super) fn fragment_head(id: u32, n: u32, start: u64, record: &Record) -> Result<Vec<u8>, Mp4Error> {
    let mdat = record.bytes().checked_add(8).and_then(|size| u32::try_from(size).ok());
    let mdat = mdat.ok_or(Mp4Error::Limit { what: "bytes of a segment", limit: u64::from(u32::MAX) })?;
    let run = TrackRun::new(record);
    let mfhd = boxed(b"mfhd", &[&words(&[0, n.saturating_add(1)])]);
    let defaults = [record.durations.only().unwrap_or(0), record.sizes.only().unwrap_or(0), run.default_flags];
    let tfhd = boxed(b"tfhd", &[&words(&[TFHD, id]), &words(&defaults)]);
    let tfdt = boxed(b"tfdt", &[&words(&[1 << 24]), &start.to_be_bytes()]);
    let before = 8 + mfhd.len() + 8 + tfhd.len() + tfdt.len();
    let moof_size = before + run.size();
    if moof_size + 8 > MAX_INLINE_BYTES / 2 {
        return Err(Mp4Error::Limit { what: "bytes of moof", limit: MAX_INLINE_BYTES as u64 / 2 });
    }
    let trun = run.write(u32::try_from(moof_size + 8).unwrap_or(u32::MAX));
    let mut out = boxed(b"moof", &[&mfhd, &boxed(b"traf", &[&tfhd, &tfdt, &trun])]);
    out.extend(mdat.to_be_bytes());
    out.extend(FourCc(*b"mdat").0);
    Ok(out)
}

/// What a `trun` has to say beside the defaults.
struct TrackRun<'a> {
    record: &'a Record,
    flags: u32,
    first_flags: u32,
    default_flags: u32,
}

impl<'a> TrackRun<'a> {
    fn new(record: &'a Record) -> Self {
        let mut flags = DATA_OFFSET;
        let (mut first_flags, mut default_flags) = (0, SYNC);
        match record.clean.runs() {
            [Run { value, .. }] => default_flags = sample_flags(*value),
            // The usual segment of video: a clean entry and what depends on it.
            [Run { count: 1, value: first }, Run { value: rest, .. }] => {
                flags |= FIRST_FLAGS;
                first_flags = sample_flags(*first);
                default_flags = sample_flags(*rest);
            }
            _ => flags |= FLAGS,
        }
        let mut add = |flag, column: &Column| flags |= if column.only().is_none() { flag } else { 0 };
        add(DURATIONS, &record.durations);
        add(SIZES, &record.sizes);
        // Offsets have no default.
        flags |= if record.offsets.only() == Some(0) { 0 } else { OFFSETS };
        Self { record, flags, first_flags, default_flags }
    }

    fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    fn size(&self) -> usize {
        let fields = [DURATIONS, SIZES, FLAGS, OFFSETS].iter().filter(|flag| self.has(**flag)).count();
        let head = 8 + 4 + 4 + 4 + if self.has(FIRST_FLAGS) { 4 } else { 0 };
        head + self.record.samples as usize * fields * 4
    }

    fn write(&self, data_offset: u32) -> Vec<u8> {
        let record = self.record;
        let mut body = words(&[self.flags, record.samples, data_offset]);
        body.reserve(self.size());
        if self.has(FIRST_FLAGS) {
            body.extend(self.first_flags.to_be_bytes());
        }
        let times = record.durations.values().zip(record.offsets.values());
        let rest = record.sizes.values().zip(record.clean.values());
        for ((duration, offset), (size, clean)) in times.zip(rest) {
            let fields = [(DURATIONS, duration), (SIZES, size), (FLAGS, sample_flags(clean)), (OFFSETS, offset)];
            for (_, value) in fields.iter().filter(|(flag, _)| self.has(*flag)) {
                body.extend(value.to_be_bytes());
            }
        }
        boxed(b"trun", &[&body])
    }
}

fn sample_flags(clean: u32) -> u32 {
    if clean == 0 { NOT_SYNC } else { SYNC }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{boxes::children, bytes::word};

    /// Payloads of `mfhd`, `tfhd`, `tfdt` and `trun`, and the length of the `moof`.
    fn parse(head: &[u8]) -> (Vec<Vec<u8>>, usize) {
        let top: Vec<_> = children(&head[..head.len() - 8]).map(Result::unwrap).collect();
        assert_eq!((top.len(), &top[0].kind.0), (1, b"moof"));
        let mut found = Vec::new();
        for child in children(top[0].payload).map(Result::unwrap) {
            match &child.kind.0 {
                b"traf" => found.extend(children(child.payload).map(|child| child.unwrap().payload.to_vec())),
                _ => found.push(child.payload.to_vec()),
            }
        }
        (found, top[0].whole.len())
    }

    fn record(clean: &[bool], offset: u32) -> Record {
        let mut record = Record::default();
        for (n, clean) in clean.iter().enumerate() {
            record.push(512, offset, 100 + n as u32, *clean).unwrap();
        }
        record
    }

    #[test]
    fn a_usual_segment_of_video_flags_its_first_sample_only() {
        let head = fragment_head(7, 4, 1 << 33, &record(&[true, false, false], 1024)).unwrap();
        let (boxes, moof) = parse(&head);
        let [mfhd, tfhd, tfdt, trun] = boxes.try_into().unwrap();
        assert_eq!(word(&mfhd, 4), 5);
        assert_eq!([4, 8, 16].map(|at| word(&tfhd, at)), [7, 512, NOT_SYNC]);
        assert_eq!((word(&tfdt, 0), word(&tfdt, 4), word(&tfdt, 8)), (1 << 24, 2, 0));
        assert_eq!(word(&trun, 0), DATA_OFFSET | FIRST_FLAGS | SIZES | OFFSETS);
        assert_eq!([4, 8, 12].map(|at| word(&trun, at)), [3, moof as u32 + 8, SYNC]);
        assert_eq!([16, 20, 24, 28].map(|at| word(&trun, at)), [100, 1024, 101, 1024]);
        assert_eq!((head.len() - moof, word(&head, moof)), (8, 8 + 303));
    }

    #[test]
    fn clean_entries_inside_a_segment_are_flagged_one_by_one() {
        let head = fragment_head(1, 0, 0, &record(&[true, false, true], 0)).unwrap();
        let trun = parse(&head).0.remove(3);
        assert_eq!(word(&trun, 0), DATA_OFFSET | SIZES | FLAGS);
        assert_eq!([16, 24, 32].map(|at| word(&trun, at)), [SYNC, NOT_SYNC, SYNC]);
    }

    #[test]
    fn sound_needs_sizes_only() {
        let head = fragment_head(1, 0, 0, &record(&[true; 4], 0)).unwrap();
        let boxes = parse(&head).0;
        assert_eq!((word(&boxes[1], 16), word(&boxes[3], 0)), (SYNC, DATA_OFFSET | SIZES));
    }
}
