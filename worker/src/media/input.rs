//! An opened source: the inherited descriptor behind our own reader, with demuxers by allow-list and every limit set
//! before a decoder sees a byte.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    os::unix::fs::MetadataExt,
};

use ffmpeg_next::{Packet, format::context::Input};

use super::{
    clock::Clock,
    error::MediaError,
    ffi::{self, StreamFacts, StreamKind},
    limits,
    splice::Splices,
};

/// A source that libav has recognised.
pub struct Source {
    file: File,
    pub(super) input: Input,
    pub(super) streams: Vec<StreamFacts>,
    pub(super) size: u64,
    /// Parts of the file are holes, so packets there are not real.
    pub(super) sparse: bool,
    /// Where the container's clock may begin anew.
    splices: Option<Splices>,
}

impl Source {
    /// Opens a seekable file from its start.
    pub fn open(mut file: File) -> Result<Self, MediaError> {
        let metadata = file.metadata().map_err(MediaError::io("look at the source"))?;
        file.seek(SeekFrom::Start(0)).map_err(MediaError::io("read the source"))?;
        let sniffer = file.try_clone().map_err(MediaError::io("read the source"))?;
        let kept = file.try_clone().map_err(MediaError::io("read the source"))?;
        let mut bomb = None;
        let options = [
            ("format_whitelist", limits::FORMATS),
            // A name that is no protocol, so nothing nested can ever be opened.
            ("protocol_whitelist", "none"),
            ("max_streams", limits::MAX_STREAMS),
            ("probesize", limits::PROBE_BYTES),
            ("analyzeduration", limits::PROBE_MICROSECONDS),
        ];
        let max_pixels = std::ffi::CString::new(limits::MAX_PIXELS.to_string()).expect("digits hold no NUL");
        let opened = ffi::open_input(file, &options, &[(c"max_pixels", &max_pixels)], |streams| {
            bomb = streams.iter().find_map(too_many_pixels);
            bomb.is_none()
        });
        let input = match (opened, bomb) {
            (_, Some(bomb)) => return Err(bomb),
            (Ok(Some(input)), None) => input,
            (Ok(None), None) | (Err(_), None) => return Err(refusal(sniffer)),
        };
        let streams = ffi::streams(&input);
        let spliced = matches!(input.format().name(), "mpegts" | "mpeg");
        Ok(Self {
            splices: spliced.then(Splices::default),
            file: kept,
            input,
            streams,
            size: metadata.size(),
            sparse: metadata.blocks() * 512 < metadata.size(),
        })
    }

    /// The same source from its start. The two share their place in the file, so only the newer may be read.
    pub(super) fn again(&self) -> Result<Self, MediaError> {
        Self::open(self.file.try_clone().map_err(MediaError::io("read the source"))?)
    }

    /// The facts of a stream that was there when the source was probed.
    pub(super) fn stream(&self, index: u32) -> Result<&StreamFacts, MediaError> {
        let found = self.streams.iter().find(|stream| stream.index == index);
        found.ok_or_else(|| MediaError::broken("the source has changed since it was probed"))
    }

    /// The next packet of any stream that is not discarded; `None` at the end. Damaged packets are skipped; a source that
    /// ends early ends here.
    pub(super) fn receive(&mut self) -> Result<Option<Packet>, MediaError> {
        let mut packet = Packet::empty();
        // A demuxer may resynchronise after bad data, but not for ever.
        for _ in 0..1_000 {
            match packet.read(&mut self.input) {
                Ok(()) => {
                    self.place(&mut packet);
                    return Ok(Some(packet));
                }
                Err(ffmpeg_next::Error::Eof) => return Ok(None),
                Err(ffmpeg_next::Error::InvalidData) => {}
                Err(source) => return Err(MediaError::Libav { doing: "read the source", source }),
            }
        }
        Ok(None)
    }
}

impl Source {
    /// Brings a packet of picture or sound onto the timeline of all.
    fn place(&mut self, packet: &mut Packet) {
        let Some(splices) = &mut self.splices else { return };
        let shown = |stream: &&StreamFacts| matches!(stream.kind, StreamKind::Video | StreamKind::Audio);
        let Some(stream) = self.streams.get(packet.stream()).filter(shown) else { return };
        let Some(stated) = packet.dts().or(packet.pts()) else { return };
        let micros = Clock::new(1_000_000);
        let (stated, lasts) =
            (micros.convert(stated, stream.time_base), micros.convert(packet.duration(), stream.time_base));
        let step = splices.step(packet.stream(), stated, lasts);
        if step != 0 {
            let (num, den) = stream.time_base;
            let step = Clock::new(u32::try_from(den).unwrap_or(1)).of_micros(step) / i64::from(num.max(1));
            packet.set_pts(packet.pts().map(|time| time.saturating_add(step)));
            packet.set_dts(packet.dts().map(|time| time.saturating_add(step)));
        }
    }
}

/// A picture larger than we decode, as the header claims it.
pub(super) fn too_many_pixels(stream: &StreamFacts) -> Option<MediaError> {
    let (width, height) = (u64::from(stream.width), u64::from(stream.height));
    let too_large = width * height > limits::MAX_PIXELS || width.max(height) > u64::from(limits::MAX_SIDE);
    (stream.kind == StreamKind::Video && too_large).then_some(MediaError::TooManyPixels { width, height })
}

/// Why libav refused: by what the first bytes say, so that a damaged film is not called "no media".
fn refusal(mut file: File) -> MediaError {
    let mut head = Vec::new();
    let read = file.seek(SeekFrom::Start(0)).and_then(|_| (&mut file).take(4 << 20).read_to_end(&mut head));
    if let Err(source) = read {
        return MediaError::Io { doing: "read the source", source };
    }
    let isobmff = head
        .get(4..8)
        .is_some_and(|tag| [b"ftyp", b"moov", b"mdat", b"free", b"wide", b"styp"].iter().any(|t| *t == tag));
    if isobmff && holds(&head, b"sinf") && (holds(&head, b"encv") || holds(&head, b"enca") || holds(&head, b"tenc")) {
        return MediaError::Encrypted;
    }
    // A phone's picture in the boxes of a film (HEIF): nothing is wrong with it, but it is none.
    let picture = [b"heic", b"heix", b"mif1", b"avif"].iter().any(|brand| head.get(8..12) == Some(&brand[..]));
    let known = (isobmff && !picture)
        || [&b"\x1a\x45\xdf\xa3"[..], b"RIFF", b"FLV", b"OggS", b"\x30\x26\xb2\x75", b"ID3", b"fLaC"]
            .iter()
            .any(|magic| head.starts_with(magic));
    if known { MediaError::broken("its index cannot be read") } else { MediaError::NotMedia }
}

fn holds(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|window| window == word)
}
