//! Decoders of one stream each. Damage in a packet costs that packet and is counted; every other error is one.

use ffmpeg_next::{Dictionary, Error, Packet, codec, decoder, frame};

use super::{
    error::{MediaError, ready},
    ffi::StreamFacts,
    input::Source,
    limits,
};

/// Damaged packets in a row before a stream is given up.
const TOLERATED: u32 = 10_000;
/// Damage inside a picture costs the picture.
const STRICTLY: (&str, &str) = ("err_detect", "explode");

pub(super) struct VideoDecoder {
    decoder: decoder::Video,
    damaged: u32,
}

pub(super) struct AudioDecoder {
    decoder: decoder::Audio,
    damaged: u32,
}

impl VideoDecoder {
    pub(super) fn open(source: &Source, stream: &StreamFacts, threads: u32) -> Result<Self, MediaError> {
        Self::open_with(source, stream, threads, None)
    }

    /// Without it a decoder paints over what it cannot read, and says nothing of it.
    pub(super) fn open_strictly(source: &Source, stream: &StreamFacts, threads: u32) -> Result<Self, MediaError> {
        Self::open_with(source, stream, threads, Some(STRICTLY))
    }

    fn open_with(
        source: &Source,
        stream: &StreamFacts,
        threads: u32,
        option: Option<(&str, &str)>,
    ) -> Result<Self, MediaError> {
        if !limits::video_codec_allowed(&stream.codec) {
            return Err(MediaError::UnsupportedCodec { codec: stream.codec.clone() });
        }
        let decoder = open(source, stream, threads, option)?;
        Ok(Self { decoder: decoder.video().map_err(MediaError::libav("open the video decoder"))?, damaged: 0 })
    }

    /// Leaves out what only makes pictures smoother.
    pub(super) fn without_loop_filter(&mut self) {
        self.decoder.skip_loop_filter(ffmpeg_next::Discard::All);
    }

    /// Decodes key frames only.
    pub(super) fn only_keys(&mut self) {
        self.decoder.skip_frame(ffmpeg_next::Discard::NonKey);
    }

    pub(super) fn send(&mut self, packet: &Packet) -> Result<(), MediaError> {
        tolerate("decode video", &mut self.damaged, self.decoder.send_packet(packet))
    }

    pub(super) fn receive(&mut self) -> Result<Option<frame::Video>, MediaError> {
        let mut frame = frame::Video::empty();
        loop {
            let result = self.decoder.receive_frame(&mut frame);
            if matches!(result, Err(Error::InvalidData)) {
                tolerate("decode video", &mut self.damaged, result)?;
                continue;
            }
            return Ok(ready("decode video", result)?.then_some(frame));
        }
    }

    pub(super) fn finish(&mut self) -> Result<(), MediaError> {
        // Damage that a thread met in the last packets is told only now.
        tolerate("end the video decoder", &mut self.damaged, self.decoder.send_eof())
    }

    pub(super) fn damaged(&self) -> u32 {
        self.damaged
    }
}

impl AudioDecoder {
    pub(super) fn open(source: &Source, stream: &StreamFacts) -> Result<Self, MediaError> {
        if !limits::audio_codec_allowed(&stream.codec) {
            return Err(MediaError::UnsupportedCodec { codec: stream.codec.clone() });
        }
        let decoder = open(source, stream, 1, None)?.audio().map_err(MediaError::libav("open the audio decoder"))?;
        Ok(Self { decoder, damaged: 0 })
    }

    pub(super) fn send(&mut self, packet: &Packet) -> Result<(), MediaError> {
        tolerate("decode audio", &mut self.damaged, self.decoder.send_packet(packet))
    }

    pub(super) fn receive(&mut self) -> Result<Option<frame::Audio>, MediaError> {
        let mut frame = frame::Audio::empty();
        loop {
            let result = self.decoder.receive_frame(&mut frame);
            if matches!(result, Err(Error::InvalidData)) {
                tolerate("decode audio", &mut self.damaged, result)?;
                continue;
            }
            return Ok(ready("decode audio", result)?.then_some(frame));
        }
    }

    pub(super) fn finish(&mut self) -> Result<(), MediaError> {
        tolerate("end the audio decoder", &mut self.damaged, self.decoder.send_eof())
    }

    pub(super) fn damaged(&self) -> u32 {
        self.damaged
    }
}

fn open(
    source: &Source,
    stream: &StreamFacts,
    threads: u32,
    option: Option<(&str, &str)>,
) -> Result<decoder::Opened, MediaError> {
    let parameters =
        source.input.stream(stream.index as usize).ok_or_else(|| MediaError::broken("a stream vanished"))?.parameters();
    let id = parameters.id();
    let mut context =
        codec::Context::from_parameters(parameters).map_err(MediaError::libav("read the codec's parameters"))?;
    let kind = codec::threading::Type::Frame;
    context.set_threading(codec::threading::Config { kind, count: threads.max(1) as usize, ..Default::default() });
    let mut decoder = context.decoder();
    decoder.set_packet_time_base(ffmpeg_next::Rational(stream.time_base.0, stream.time_base.1));
    let found = decoder::find(id).ok_or_else(|| MediaError::UnsupportedCodec { codec: stream.codec.clone() })?;
    let mut options = Dictionary::new();
    options.set("max_pixels", &limits::MAX_PIXELS.to_string());
    option.into_iter().for_each(|(key, value)| options.set(key, value));
    decoder.open_as_with(found, options).map_err(MediaError::libav("open the decoder"))
}

fn tolerate(doing: &'static str, damaged: &mut u32, result: Result<(), Error>) -> Result<(), MediaError> {
    match result {
        Ok(()) => Ok(()),
        // EINVAL is what libav answers to pictures above `max_pixels` and to parameters that changed absurdly.
        Err(source @ (Error::InvalidData | Error::Other { errno: ffmpeg_next::error::EINVAL })) => {
            *damaged += 1;
            if *damaged > TOLERATED { Err(MediaError::Libav { doing, source }) } else { Ok(()) }
        }
        Err(Error::Eof) => Ok(()),
        Err(source) => Err(MediaError::Libav { doing, source }),
    }
}
