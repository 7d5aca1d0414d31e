//! Writing an MP4 with `moov` in front. Packets come in their encoders' clocks and leave in the tracks'; only here is a time
//! rescaled on its way out.

use std::path::Path;

use ffmpeg_next::{Dictionary, Packet, codec, format};

use super::{clock::Clock, error::MediaError};

/// The sound every rung gets.
#[derive(Clone)]
pub(super) struct SoundTrack {
    pub(super) parameters: codec::Parameters,
    pub(super) clock: Clock,
    pub(super) language: Option<String>,
}

/// Which track a packet belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Track {
    Video,
    Audio,
}

struct Slot {
    index: usize,
    clock: Clock,
}

/// An MP4 under way. Without `finish` it is no file that can be played.
pub(super) struct Mp4 {
    output: format::context::Output,
    video: Option<Slot>,
    audio: Option<Slot>,
}

impl Mp4 {
    /// `path` is a plain name in the working directory: moving `moov` to the front reopens it by name.
    pub(super) fn create(
        path: &Path,
        video: Option<(codec::Parameters, Clock)>,
        audio: Option<SoundTrack>,
    ) -> Result<Self, MediaError> {
        let failed = "begin the output";
        let mut output = format::output_as(path, "mp4").map_err(MediaError::libav(failed))?;
        let mut options: Dictionary<'_> = [("movflags", "+faststart")].into_iter().collect();
        if let Some((_, clock)) = &video {
            options.set("video_track_timescale", &clock.timescale().to_string());
        }
        let track = |(parameters, clock)| SoundTrack { parameters, clock, language: None };
        let video = video.map(|video| slot(&mut output, track(video))).transpose()?;
        let audio = audio.map(|audio| slot(&mut output, audio)).transpose()?;
        output.write_header_with(options).map_err(MediaError::libav(failed))?;
        Ok(Self { output, video, audio })
    }

    pub(super) fn write(&mut self, track: Track, mut packet: Packet) -> Result<(), MediaError> {
        let slot = match track {
            Track::Video => &self.video,
            Track::Audio => &self.audio,
        };
        let Some(slot) = slot else { return Ok(()) };
        let to =
            self.output.stream(slot.index).ok_or_else(|| MediaError::broken("an output track vanished"))?.time_base();
        packet.set_stream(slot.index);
        packet.set_position(-1);
        packet.rescale_ts(slot.clock.time_base(), to);
        packet.write_interleaved(&mut self.output).map_err(MediaError::libav("write the output"))
    }

    /// Writes the index and moves it to the front.
    pub(super) fn finish(mut self) -> Result<(), MediaError> {
        self.output.write_trailer().map_err(MediaError::libav("end the output"))
    }
}

fn slot(output: &mut format::context::Output, track: SoundTrack) -> Result<Slot, MediaError> {
    let SoundTrack { parameters, clock, language } = track;
    let unnamed: Option<ffmpeg_next::Codec> = None;
    let mut stream = output.add_stream(unnamed).map_err(MediaError::libav("begin the output"))?;
    stream.set_parameters(parameters);
    stream.set_metadata(language.iter().map(|language| ("language", language.as_str())).collect());
    stream.set_time_base(clock.time_base());
    Ok(Slot { index: stream.index(), clock })
}
