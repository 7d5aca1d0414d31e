//! Cutting a track: its samples in order become records, and each record gets its line in the table.

use crate::{
    clean::{CleanEntries, clean_entries},
    error::Mp4Error,
    track::Track,
};

use super::{
    MAX_SEGMENTS,
    damage::broken,
    moof::fragment_head,
    points::Points,
    record::Record,
    samples::Samples,
    segment::SegmentEntry,
    timeline::{AudioClock, Silence, VideoClock},
};

/// A track's table, places of records counting from its first one, and its records.
#[derive(Debug, Default)]
pub(super) struct Cut {
    pub(super) entries: Vec<SegmentEntry>,
    pub(super) records: Vec<u8>,
}

/// The samples of a segment come together here, until the next begins.
struct Cutter {
    id: u32,
    done: Cut,
    open: Record,
    /// Decode time of the next sample on the new clock.
    decode: i64,
    /// When the open segment begins, on the presentation's clock.
    begun: i64,
    begun_decode: i64,
}

impl Cutter {
    fn new(id: u32) -> Self {
        Self { id, done: Cut::default(), open: Record::default(), decode: 0, begun: 0, begun_decode: 0 }
    }

    /// Ends the open segment where the next begins, unless that is no later than this one.
    fn begin(&mut self, presentation: i64) -> Result<(), Mp4Error> {
        if self.open.samples > 0 && presentation > self.begun {
            self.close(presentation)?;
        }
        Ok(())
    }

    fn close(&mut self, presentation: i64) -> Result<(), Mp4Error> {
        if self.done.entries.len() >= MAX_SEGMENTS {
            return Err(Mp4Error::Limit { what: "segments", limit: MAX_SEGMENTS as u64 });
        }
        let record = std::mem::take(&mut self.open);
        let n = u32::try_from(self.done.entries.len()).unwrap_or(u32::MAX);
        let start = self.begun_decode.cast_unsigned();
        let head = fragment_head(self.id, n, start, &record)?.len() as u64;
        let bytes = |count: u64| u32::try_from(count).map_err(|_| too_large());
        let first = record.sizes.values().next().map_or(0, u64::from);
        let from = self.done.records.len() as u64;
        self.done.records.extend(record.write()?);
        self.done.entries.push(SegmentEntry {
            start,
            presentation: self.begun.cast_unsigned(),
            duration: u32::try_from(presentation.saturating_sub(self.begun).max(0)).map_err(|_| too_large())?,
            size: bytes(head + record.bytes())?,
            lead: bytes(head + first)?,
            record: from..self.done.records.len() as u64,
        });
        (self.begun, self.begun_decode) = (presentation, self.decode);
        Ok(())
    }

    fn push(&mut self, duration: u32, offset: u32, size: u32, clean: bool) -> Result<(), Mp4Error> {
        self.open.push(duration, offset, size, clean)?;
        self.decode = self.decode.saturating_add(i64::from(duration));
        Ok(())
    }
}

fn too_large() -> Mp4Error {
    Mp4Error::Limit { what: "bytes or ticks of a segment", limit: u64::from(u32::MAX) }
}

/// Cuts a video track at the clean entries which the points ask for.
pub(super) fn cut_video(track: &Track, id: u32, clock: &VideoClock, mut points: Points<'_>) -> Result<Cut, Mp4Error> {
    let mut cutter = Cutter::new(id);
    let mut clean: std::iter::Peekable<CleanEntries<'_>> = clean_entries(track)?.peekable();
    for sample in Samples::new(track) {
        let sample = sample?;
        let entry = clean.next_if(|entry| entry.sample == sample.number);
        if let Some(entry) = entry
            && sample.number > 1
            && points.video_begins(cutter.begun, entry.presentation)
        {
            cutter.begin(entry.presentation)?;
        }
        let stretch = if sample.number == 1 { clock.stretch } else { 0 };
        let duration = u32::try_from(i64::from(sample.duration).saturating_add(stretch)).map_err(|_| too_large())?;
        let offset = sample.composition.saturating_sub(sample.decode).saturating_add(clock.raise);
        let offset = u32::try_from(offset).map_err(|_| broken("a composition offset is out of range"))?;
        cutter.push(duration, offset, sample.size, entry.is_some())?;
        cutter.open.push_media(sample.at..sample.at + u64::from(sample.size));
    }
    cutter.close(clock.end)?;
    Ok(cutter.done)
}

/// Cuts an audio track at the frames nearest to the points, silence included.
pub(super) fn cut_audio(track: &Track, id: u32, clock: &AudioClock, points: Points<'_>) -> Result<Cut, Mp4Error> {
    let mut sound = SoundCutter { cutter: Cutter::new(id), points, media_time: clock.media_time, end: clock.end };
    sound.silence(&clock.front)?;
    for sample in Samples::new(track) {
        let sample = sample?;
        sound.frame(sample.duration, sample.size)?;
        sound.cutter.open.push_media(sample.at..sample.at + u64::from(sample.size));
    }
    sound.silence(&clock.back)?;
    let mut cutter = sound.cutter;
    cutter.close(clock.end)?;
    Ok(cutter.done)
}

struct SoundCutter<'a> {
    cutter: Cutter,
    points: Points<'a>,
    media_time: i64,
    end: i64,
}

impl SoundCutter<'_> {
    fn frame(&mut self, duration: u32, size: u32) -> Result<(), Mp4Error> {
        let time = self.cutter.decode.saturating_sub(self.media_time);
        if self.points.audio_begins(self.cutter.begun, time, duration, self.end) {
            self.cutter.begin(time)?;
        }
        self.cutter.push(duration, 0, size, true)
    }

    fn silence(&mut self, silence: &Silence) -> Result<(), Mp4Error> {
        let size = u32::try_from(silence.frame.len()).unwrap_or(u32::MAX);
        for duration in silence.durations() {
            self.frame(duration, size)?;
            self.cutter.open.push_inline(&silence.frame);
        }
        Ok(())
    }
}
