//! Decoding what was made, strictly: of each packet that is wanted comes a picture, or the output is broken. Which packets
//! are wanted is for others to say.

use std::{collections::HashSet, fs::File};

use ffmpeg_next::Packet;
use reelgate_common::media_info::MediaInfo;

use super::{
    clock::Clock,
    decode::{AudioDecoder, VideoDecoder},
    error::MediaError,
    ffi::{self, StreamFacts, StreamKind},
    input::Source,
    proven::{Chain, Spared},
};

/// Outputs up to this long are decoded whole.
pub(super) const WHOLE_MS: u64 = 10_000;
/// How much of each end of a longer one.
pub(super) const END_MS: i64 = 2_000;

/// Decodes an excerpt of an output under way. Gives what tells its packets from all others.
pub fn look(excerpt: File) -> Result<Vec<String>, MediaError> {
    let mut source = Source::open(excerpt)?;
    let video = source.streams.iter().find(|stream| stream.kind == StreamKind::Video);
    let video = video.ok_or_else(|| MediaError::broken("an excerpt has no pictures"))?.clone();
    let mut chain = Chain::of(&parameters(&source, &video)?);
    let mut proven = Vec::new();
    let nothing = HashSet::new();
    Look::open(&mut source, Some(video), None, 1, &nothing)?.run(&mut source, &mut |seen| {
        proven.push(chain.next(seen.packet, seen.key));
        true
    })?;
    Ok(proven)
}

fn parameters(source: &Source, stream: &StreamFacts) -> Result<ffmpeg_next::codec::Parameters, MediaError> {
    let found = source.input.stream(stream.index as usize);
    let mut parameters = ffmpeg_next::codec::Parameters::new();
    parameters.clone_from(&found.ok_or_else(|| MediaError::broken("a track has vanished"))?.parameters());
    Ok(parameters)
}

/// Which pictures belong to the beginning of an output: those of whole groups, for one may be decoded before, and shown
/// after, it ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beginning(bool);

impl Beginning {
    pub(super) fn new() -> Self {
        Self(true)
    }

    /// Whether a picture does; they come in the order of decoding.
    pub(super) fn has(&mut self, key: bool, time_ms: i64) -> bool {
        self.0 &= !(key && time_ms >= END_MS);
        self.0
    }
}

/// A packet, as far as it matters for whether it is looked at.
pub(super) struct Seen<'a> {
    pub(super) of_video: bool,
    pub(super) key: bool,
    pub(super) time_ms: i64,
    packet: &'a Packet,
}

/// The pictures' side of a look.
struct Watched<'a> {
    stream: StreamFacts,
    /// Where its key frames lie.
    keys: Vec<i64>,
    decoder: VideoDecoder,
    spared: Spared<'a>,
}

/// One pass over the output with decoders of its own.
pub(super) struct Look<'a> {
    video: Option<Watched<'a>>,
    audio: Option<(StreamFacts, AudioDecoder)>,
    /// Pictures that went in and that came out.
    given: u64,
    shown: u64,
    heard: u64,
}

impl<'a> Look<'a> {
    /// At the tracks of `media`; pictures that are `proven` need not be decoded again.
    pub(super) fn at(
        source: &mut Source,
        media: &MediaInfo,
        threads: u32,
        proven: &'a HashSet<&'a str>,
    ) -> Result<Self, MediaError> {
        let stream = |index: u32| source.streams.iter().find(|stream| stream.index == index).cloned();
        let video = media.video.as_ref().and_then(|video| stream(video.stream));
        let audio = media.audio.first().and_then(|audio| stream(audio.stream));
        Self::open(source, video, audio, threads, proven)
    }

    fn open(
        source: &mut Source,
        video: Option<StreamFacts>,
        audio: Option<StreamFacts>,
        threads: u32,
        proven: &'a HashSet<&'a str>,
    ) -> Result<Self, MediaError> {
        let wanted: Vec<u32> = video.iter().chain(&audio).map(|stream| stream.index).collect();
        let video = match video {
            Some(stream) => {
                let mut decoder = VideoDecoder::open_strictly(source, &stream, threads)?;
                // Nobody looks at the picture; what is to be seen is whether it can be read.
                decoder.without_loop_filter();
                let spared = Spared::new(&parameters(source, &stream)?, proven);
                let keys = ffi::key_frames(&source.input, stream.index);
                Some(Watched { stream, keys, decoder, spared })
            }
            None => None,
        };
        let audio = match audio {
            Some(stream) => Some((stream.clone(), AudioDecoder::open(source, &stream)?)),
            None => None,
        };
        ffi::discard_all_but(&mut source.input, &wanted);
        Ok(Self { video, audio, given: 0, shown: 0, heard: 0 })
    }

    pub(super) fn run(
        mut self,
        source: &mut Source,
        wanted: &mut dyn FnMut(&Seen<'_>) -> bool,
    ) -> Result<(), MediaError> {
        while let Some(packet) = source.receive()? {
            self.take(&packet, wanted)?;
        }
        if let Some(video) = &mut self.video {
            video.decoder.finish()?;
        }
        if let Some((_, decoder)) = &mut self.audio {
            decoder.finish()?;
        }
        self.receive()?;
        self.judge()
    }

    fn take(&mut self, packet: &Packet, wanted: &mut dyn FnMut(&Seen<'_>) -> bool) -> Result<(), MediaError> {
        let of = |stream: &StreamFacts| packet.stream() == stream.index as usize;
        let keys = self.video.as_ref().map_or(&[][..], |video| &video.keys);
        let key = packet.is_key() || keys.binary_search(&(i64::try_from(packet.position()).unwrap_or(-1))).is_ok();
        let seen = |of_video, stream: &StreamFacts| Seen {
            of_video,
            key,
            time_ms: Clock::new(1_000).convert(packet.pts().or(packet.dts()).unwrap_or(0), stream.time_base),
            packet,
        };
        match (&mut self.video, &mut self.audio) {
            (Some(video), _) if of(&video.stream) && wanted(&seen(true, &video.stream)) => {
                for packet in video.spared.take(packet, key) {
                    video.decoder.send(&packet)?;
                    self.given += 1;
                    self.shown += video.receive()?;
                }
            }
            (_, Some((stream, decoder))) if of(stream) && wanted(&seen(false, stream)) => decoder.send(packet)?,
            _ => {}
        }
        self.receive()
    }

    fn receive(&mut self) -> Result<(), MediaError> {
        if let Some(video) = &mut self.video {
            self.shown += video.receive()?;
        }
        if let Some((_, decoder)) = &mut self.audio {
            while decoder.receive()?.is_some() {
                self.heard += 1;
            }
        }
        Ok(())
    }

    /// Our own encoders make one picture of each packet, so a picture that is missing is damage.
    fn judge(&mut self) -> Result<(), MediaError> {
        let video = self.video.as_ref().map_or(0, |video| video.decoder.damaged());
        let audio = self.audio.as_ref().map_or(0, |(_, decoder)| decoder.damaged());
        let spared = self.video.as_mut().map_or(0, |video| video.spared.settle());
        let nothing = (self.video.is_some() && self.shown + spared == 0) || (self.audio.is_some() && self.heard == 0);
        if video > 0 || audio > 0 || nothing || self.shown < self.given {
            return Err(MediaError::broken(format!(
                "the output does not decode: {} of {} pictures, {video} damaged, {audio} damaged pieces of sound",
                self.shown, self.given
            )));
        }
        Ok(())
    }
}

impl Watched<'_> {
    /// How many pictures came out.
    fn receive(&mut self) -> Result<u64, MediaError> {
        let mut shown = 0;
        while self.decoder.receive()?.is_some() {
            shown += 1;
        }
        Ok(shown)
    }
}
