//! A second look at a finished output, as a player would take it: opened, described, and decoded - whole when it is short or
//! when that is asked for, else its key frames and all of its first and last two seconds.

use ffmpeg_next::Packet;
use reelgate_common::media_info::MediaInfo;

use super::{
    clock::Clock,
    decode::{AudioDecoder, VideoDecoder},
    error::MediaError,
    ffi::{self, StreamFacts},
    input::Source,
    probe::probe,
};

/// Outputs up to this long are decoded whole.
const WHOLE_MS: u64 = 10_000;
/// How much of each end of a longer one.
const END_MS: i64 = 2_000;

/// What the output holds.
pub fn verify(source: &mut Source, whole: bool, threads: u32) -> Result<MediaInfo, MediaError> {
    let mut media = probe(source)?;
    // The presentation's length by the edit lists; the media under it may be shorter by the last picture's reorder delay.
    if let Some(micros) = ffi::container_times(&source.input).0 {
        media.duration_ms = u64::try_from(micros).unwrap_or(0).div_ceil(1_000);
    }
    if whole || media.duration_ms <= WHOLE_MS {
        Look::open(source, &media, threads)?.run(source, &mut |_| true)?;
        return Ok(media);
    }
    let mut beginning = true;
    Look::open(source, &media, threads)?.run(source, &mut |packet| {
        // Whole groups of pictures: one may be decoded before, and shown after, the two seconds end.
        beginning &= !(packet.key && packet.of_video && packet.time_ms >= END_MS);
        (packet.of_video && (packet.key || beginning)) || (!packet.of_video && packet.time_ms < END_MS)
    })?;
    let last = (i64::try_from(media.duration_ms).unwrap_or(i64::MAX) - END_MS).saturating_mul(1_000);
    source.input.seek(last, ..last).map_err(MediaError::libav("look for the last key frame"))?;
    Look::open(source, &media, threads)?.run(source, &mut |_| true)?;
    Ok(media)
}

/// A packet, as far as it matters for whether it is looked at.
struct Seen {
    of_video: bool,
    key: bool,
    time_ms: i64,
}

/// One pass over the output with decoders of its own.
struct Look {
    video: Option<(StreamFacts, VideoDecoder)>,
    audio: Option<(StreamFacts, AudioDecoder)>,
    /// Pictures that went in and that came out.
    given: u64,
    shown: u64,
    heard: u64,
}

impl Look {
    fn open(source: &mut Source, media: &MediaInfo, threads: u32) -> Result<Self, MediaError> {
        let stream = |index: u32| source.streams.iter().find(|stream| stream.index == index).cloned();
        let video = media.video.as_ref().and_then(|video| stream(video.stream));
        let audio = media.audio.first().and_then(|audio| stream(audio.stream));
        let wanted: Vec<u32> = video.iter().chain(&audio).map(|stream| stream.index).collect();
        let video = match video {
            Some(stream) => {
                let mut decoder = VideoDecoder::open_strictly(source, &stream, threads)?;
                // Nobody looks at the picture; what is to be seen is whether it can be read.
                decoder.without_loop_filter();
                Some((stream, decoder))
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

    fn run(mut self, source: &mut Source, wanted: &mut dyn FnMut(&Seen) -> bool) -> Result<(), MediaError> {
        while let Some(packet) = source.receive()? {
            self.take(&packet, wanted)?;
        }
        if let Some((_, decoder)) = &mut self.video {
            decoder.finish()?;
        }
        if let Some((_, decoder)) = &mut self.audio {
            decoder.finish()?;
        }
        self.receive()?;
        self.judge()
    }

    fn take(&mut self, packet: &Packet, wanted: &mut dyn FnMut(&Seen) -> bool) -> Result<(), MediaError> {
        let of = |stream: &StreamFacts| packet.stream() == stream.index as usize;
        let seen = |of_video, stream: &StreamFacts| Seen {
            of_video,
            key: packet.is_key(),
            time_ms: Clock::new(1_000).convert(packet.pts().or(packet.dts()).unwrap_or(0), stream.time_base),
        };
        match (&mut self.video, &mut self.audio) {
            (Some((stream, decoder)), _) if of(stream) && wanted(&seen(true, stream)) => {
                decoder.send(packet)?;
                self.given += 1;
            }
            (_, Some((stream, decoder))) if of(stream) && wanted(&seen(false, stream)) => decoder.send(packet)?,
            _ => {}
        }
        self.receive()
    }

    fn receive(&mut self) -> Result<(), MediaError> {
        if let Some((_, decoder)) = &mut self.video {
            while decoder.receive()?.is_some() {
                self.shown += 1;
            }
        }
        if let Some((_, decoder)) = &mut self.audio {
            while decoder.receive()?.is_some() {
                self.heard += 1;
            }
        }
        Ok(())
    }

    /// Our own encoders make one picture of each packet, so a picture that is missing is damage.
    fn judge(&self) -> Result<(), MediaError> {
        let video = self.video.as_ref().map_or(0, |(_, decoder)| decoder.damaged());
        let audio = self.audio.as_ref().map_or(0, |(_, decoder)| decoder.damaged());
        let nothing = (self.video.is_some() && self.shown == 0) || (self.audio.is_some() && self.heard == 0);
        if video > 0 || audio > 0 || nothing || self.shown < self.given {
            return Err(MediaError::broken(format!(
                "the output does not decode: {} of {} pictures, {video} damaged, {audio} damaged pieces of sound",
                self.shown, self.given
            )));
        }
        Ok(())
    }
}
