//! All the sound of one pass: the track that every rung gets, and the tracks that become files of their own.

use std::path::Path;

use ffmpeg_next::Packet;
use reelgate_common::media_info::MediaInfo;

use super::{
    error::MediaError,
    ffi,
    input::Source,
    lent::Lent,
    loudness::Corrections,
    mux::{Mp4, SoundTrack, Track},
    report::{Progress, Report, Tell},
    shortfall::Reached,
    sound_file::SoundFile,
    soundtrack::Soundtrack,
    waveform::Waveform,
};
use crate::{
    plan::{Plan, SoundStep, VideoStep},
    task::protocol::SOUND_FILE,
};

pub(super) struct Sounds {
    /// Its packets go into every rung.
    main: Option<Soundtrack>,
    /// In its place, where it was made before.
    lent: Option<Lent>,
    alone: Vec<SoundFile>,
    /// The rungs' track once more, for rungs that are made elsewhere.
    kept: Option<Mp4>,
}

impl Sounds {
    /// Opens what the plan encodes. A further track that cannot be opened is left out; without the default one nothing is right.
    pub(super) fn open(
        source: &Source,
        plan: &Plan,
        origin: i64,
        corrections: &Corrections,
        keep: bool,
    ) -> Result<Self, MediaError> {
        let mut sounds = Self { main: None, lent: None, alone: Vec::new(), kept: None };
        let wanted = keep || plan.rungs.iter().any(|rung| rung.audio && rung.video != VideoStep::Copy);
        for step in &plan.audio {
            if !step.alone && !wanted {
                continue;
            }
            if step.step == SoundStep::Lent {
                sounds.lent = Some(Lent::open(step)?);
                continue;
            }
            let sound = Soundtrack::open(source, step, origin, corrections);
            match (step.alone, sound) {
                (false, sound) => sounds.main = Some(sound?),
                (true, Ok(sound)) => sounds.alone.push(SoundFile::create(step.name.clone(), sound)),
                (true, Err(error)) if step.default => return Err(error),
                (true, Err(_)) => {}
            }
        }
        if let Some(main) = sounds.main.as_ref().filter(|_| keep) {
            sounds.kept = Some(Mp4::create(Path::new(SOUND_FILE), None, Some(main.track()))?);
        }
        Ok(sounds)
    }

    /// Whether the rungs' track is wanted without rungs.
    pub(super) fn keeps(&self) -> bool {
        self.kept.is_some()
    }

    pub(super) fn streams(&self) -> impl Iterator<Item = u32> {
        self.main.iter().map(Soundtrack::stream).chain(self.alone.iter().map(SoundFile::stream))
    }

    /// Of the rungs.
    pub(super) fn track(&self) -> Option<SoundTrack> {
        self.main.as_ref().map(Soundtrack::track).or_else(|| self.lent.as_ref().map(Lent::track))
    }

    /// Milliseconds of the rungs' track; `None` without one.
    pub(super) fn main_ms(&self) -> Option<u64> {
        self.main.as_ref().map(Soundtrack::end_ms).or_else(|| self.lent.as_ref().map(Lent::end_ms))
    }

    /// Where the longest track ends so far; `None` without any.
    pub(super) fn end_ms(&self) -> Option<u64> {
        self.main_ms().into_iter().chain(self.alone.iter().map(SoundFile::end_ms)).max()
    }

    /// Packets that did not decode.
    pub(super) fn damaged(&self) -> u32 {
        self.main.iter().map(Soundtrack::damaged).chain(self.alone.iter().map(SoundFile::damaged)).sum()
    }

    /// Takes a packet of any stream; what is for the rungs comes out in `main`.
    pub(super) fn send(&mut self, packet: &Packet, main: &mut Vec<Packet>) -> Result<(), MediaError> {
        let of = |stream: u32| packet.stream() == stream as usize;
        if let Some(sound) = self.main.as_mut().filter(|sound| of(sound.stream())) {
            let before = main.len();
            sound.send(packet, main)?;
            self.keep(&main[before..])?;
        }
        self.alone.iter_mut().filter(|file| of(file.stream())).try_for_each(|file| file.send(packet))
    }

    /// What is lent keeps up with the pictures; nothing else does.
    pub(super) fn keep_up(&mut self, pictures_ms: u64, main: &mut Vec<Packet>) -> Result<(), MediaError> {
        self.lent.as_mut().map_or(Ok(()), |lent| lent.take(Some(pictures_ms), main))
    }

    /// Ends the rungs' track.
    pub(super) fn finish_main(&mut self, main: &mut Vec<Packet>) -> Result<(), MediaError> {
        self.lent.as_mut().map_or(Ok(()), |lent| lent.take(None, main))?;
        let before = main.len();
        self.main.as_mut().map_or(Ok(()), |sound| sound.finish(main))?;
        self.keep(&main[before..])?;
        self.kept.take().map_or(Ok(()), Mp4::finish)
    }

    fn keep(&mut self, packets: &[Packet]) -> Result<(), MediaError> {
        let Some(kept) = &mut self.kept else { return Ok(()) };
        packets.iter().try_for_each(|packet| kept.write(Track::Audio, packet.clone()))
    }

    /// Closes the files and tells of them; gives what went wrong.
    pub(super) fn finish_files(&mut self, tell: Tell<'_>) -> Vec<MediaError> {
        self.alone.drain(..).filter_map(|file| file.finish(&mut *tell)).collect()
    }

    /// A source without pictures.
    pub(super) fn run(
        mut self,
        source: &mut Source,
        media: &MediaInfo,
        mut waveform: Option<Waveform>,
        tell: Tell<'_>,
    ) -> Result<(), MediaError> {
        if self.alone.is_empty() {
            return Err(MediaError::NotMedia);
        }
        ffi::discard_all_but(&mut source.input, &self.streams().collect::<Vec<_>>());
        let mut progress = Progress::new(media.duration_ms);
        while let Some(packet) = source.receive()? {
            self.send(&packet, &mut Vec::new())?;
            // Nothing moves on any more: a waveform of a sound that nobody hears is not worth the rest.
            if self.alone.iter().all(SoundFile::has_failed) {
                waveform = None;
                break;
            }
            waveform.iter_mut().for_each(|waveform| waveform.send(&packet));
            progress.reached(self.end_ms().unwrap_or(0), tell);
        }
        let (sound_ms, damaged) = (self.end_ms(), self.damaged());
        let tracks = self.alone.len();
        let mut failed = self.finish_files(tell);
        waveform.into_iter().for_each(|waveform| waveform.finish(&mut *tell));
        if failed.len() == tracks {
            return Err(failed.swap_remove(0));
        }
        let reached = Reached { stated_ms: media.duration_ms, pictures_ms: None, sound_ms, damaged };
        reached.warnings().into_iter().for_each(|warning| tell(Report::Warned(warning)));
        Ok(())
    }
}
