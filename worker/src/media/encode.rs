//! Encoders as stages: video by the codec of its rung, AAC-LC by libav's own. Times go in and come out in the stage's clock.

use std::collections::VecDeque;

use ffmpeg_next::{Packet, codec, encoder, format, frame, picture::Type};

use super::{
    clock::Clock,
    codec::{encoder_name, options, tag},
    error::{MediaError, ready},
    ffi,
};
use crate::plan::{VideoCodec, VideoStep};

/// What a rung's encoder is asked for.
#[derive(Debug, Clone)]
pub(super) struct VideoSettings {
    pub(super) step: VideoStep,
    pub(super) threads: u32,
    /// Nominal frames per second, for rate control only.
    pub(super) frame_rate: (u32, u32),
}

impl VideoSettings {
    fn codec(&self) -> VideoCodec {
        match &self.step {
            VideoStep::Encode { codec, .. } => *codec,
            VideoStep::Copy => VideoCodec::H264,
        }
    }
}

pub(super) struct VideoEncoder {
    encoder: encoder::video::Encoder,
    codec: VideoCodec,
    clock: Clock,
    /// Display times and durations of frames that are inside, for the packets that come out in another order.
    durations: VecDeque<(i64, i64)>,
}

impl VideoEncoder {
    /// `sample` shows size and colours of the frames.
    pub(super) fn open(sample: &frame::Video, clock: Clock, settings: &VideoSettings) -> Result<Self, MediaError> {
        let (failed, name) = ("open a video encoder", encoder_name(settings.codec()));
        let codec =
            encoder::find_by_name(name).ok_or_else(|| MediaError::UnsupportedCodec { codec: name.to_owned() })?;
        let mut context = codec::Context::new_with_codec(codec);
        ffi::set_encoder_tags(&mut context, ffi::color_tags(sample));
        context.set_flags(codec::Flags::GLOBAL_HEADER);
        let mut video = context.encoder().video().map_err(MediaError::libav(failed))?;
        video.set_width(sample.width());
        video.set_height(sample.height());
        video.set_format(format::Pixel::YUV420P);
        video.set_aspect_ratio((1, 1));
        video.set_time_base(clock.time_base());
        video.set_frame_rate(Some(plausible_rate(settings.frame_rate)));
        // Key frames come from the grid alone.
        video.set_gop(1 << 20);
        let encoder = video.open_with(options(&settings.step, settings.threads)).map_err(MediaError::libav(failed))?;
        Ok(Self { encoder, codec: settings.codec(), clock, durations: VecDeque::new() })
    }

    /// `duration` is the frame's own, for the last frame has no successor to tell it.
    pub(super) fn send(&mut self, mut frame: frame::Video, key: bool, duration: i64) -> Result<(), MediaError> {
        frame.set_kind(if key { Type::I } else { Type::None });
        if let Some(time) = frame.pts() {
            self.durations.push_back((time, duration));
        }
        self.encoder.send_frame(&frame).map_err(MediaError::libav("encode video"))
    }

    pub(super) fn receive(&mut self) -> Result<Option<Packet>, MediaError> {
        let mut packet = Packet::empty();
        if !ready("encode video", self.encoder.receive_packet(&mut packet))? {
            return Ok(None);
        }
        let at = self.durations.iter().position(|(time, _)| Some(*time) == packet.pts());
        if let Some((_, duration)) = at.and_then(|at| self.durations.remove(at)) {
            packet.set_duration(duration);
        }
        Ok(Some(packet))
    }

    pub(super) fn finish(&mut self) -> Result<(), MediaError> {
        ready("end a video encoder", self.encoder.send_eof()).map(drop)
    }

    pub(super) fn parameters(&self) -> codec::Parameters {
        let mut parameters = codec::Parameters::from(&self.encoder);
        ffi::set_tag(&mut parameters, tag(self.codec));
        parameters
    }

    pub(super) fn clock(&self) -> Clock {
        self.clock
    }

    /// RFC 6381 name, out of the sequence parameter set; `None` when the encoder shows none.
    pub(super) fn codec_string(&self) -> Option<String> {
        if self.codec != VideoCodec::H264 {
            return None;
        }
        let header = ffi::extradata(&self.encoder);
        let at = header.windows(4).position(|window| window[..3] == [0, 0, 1] && window[3] & 0x1f == 7)?;
        let [profile, flags, level] = *header.get(at + 4..at + 7)?.first_chunk()?;
        Some(format!("avc1.{profile:02x}{flags:02x}{level:02x}"))
    }
}

/// x264 derives the level from the rate: a timescale stated as rate would claim a level that no player has.
fn plausible_rate((num, den): (u32, u32)) -> (i32, i32) {
    match (i32::try_from(num), i32::try_from(den)) {
        (Ok(num @ 1..), Ok(den @ 1..)) if i64::from(num) <= 240 * i64::from(den) => (num, den),
        _ => (30, 1),
    }
}

pub(super) struct AudioEncoder {
    encoder: encoder::audio::Encoder,
    clock: Clock,
}

impl AudioEncoder {
    /// One or two channels.
    pub(super) fn open(rate: u32, channels: u16, bitrate: u32) -> Result<Self, MediaError> {
        let failed = "open the AAC encoder";
        let codec =
            encoder::find_by_name("aac").ok_or_else(|| MediaError::UnsupportedCodec { codec: "aac".to_owned() })?;
        let mut context = codec::Context::new_with_codec(codec);
        context.set_flags(codec::Flags::GLOBAL_HEADER);
        let mut audio = context.encoder().audio().map_err(MediaError::libav(failed))?;
        let clock = Clock::new(rate);
        audio.set_rate(i32::try_from(rate).unwrap_or(48_000));
        audio.set_format(format::Sample::F32(format::sample::Type::Planar));
        audio.set_channel_layout(ffmpeg_next::ChannelLayout::default(i32::from(channels)));
        audio.set_bit_rate(bitrate as usize);
        audio.set_time_base(clock.time_base());
        let encoder = audio.open().map_err(MediaError::libav(failed))?;
        Ok(Self { encoder, clock })
    }

    /// Samples of each frame but the last.
    pub(super) fn frame_size(&self) -> u32 {
        self.encoder.frame_size()
    }

    pub(super) fn send(&mut self, frame: &frame::Audio) -> Result<(), MediaError> {
        self.encoder.send_frame(frame).map_err(MediaError::libav("encode audio"))
    }

    pub(super) fn receive(&mut self) -> Result<Option<Packet>, MediaError> {
        let mut packet = Packet::empty();
        Ok(ready("encode audio", self.encoder.receive_packet(&mut packet))?.then_some(packet))
    }

    pub(super) fn finish(&mut self) -> Result<(), MediaError> {
        ready("end the AAC encoder", self.encoder.send_eof()).map(drop)
    }

    pub(super) fn parameters(&self) -> codec::Parameters {
        codec::Parameters::from(&self.encoder)
    }

    pub(super) fn clock(&self) -> Clock {
        self.clock
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timescale_stated_as_rate_claims_no_level() {
        assert_eq!(plausible_rate((30_000, 1001)), (30_000, 1001));
        assert_eq!(plausible_rate((240, 1)), (240, 1));
        assert_eq!(plausible_rate((1000, 1)), (30, 1));
        assert_eq!(plausible_rate((0, 1)), (30, 1));
        assert_eq!(plausible_rate((u32::MAX, 0)), (30, 1));
    }
}
