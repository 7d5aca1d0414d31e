//! Putting a rung together: the packets of its chunks one after another, and the sound beside them, into one plain MP4. Nothing is
//! decoded and nothing encoded.

use std::{fs::File, path::Path};

use ffmpeg_next::{Packet, codec};

use super::{
    clock::Clock,
    error::MediaError,
    ffi::{self, StreamKind},
    input::Source,
    lent::Lent,
    mux::{Mp4, Track},
    report::{Report, Tell},
};
use crate::{
    plan::{AudioStep, Rung},
    task::protocol::{Output, Piece},
};

/// The pieces and `SOUND_FILE`, where there is sound, lie in the working directory. Their times are in units of 1/`timescale` s.
pub fn assemble(
    rung: &Rung,
    sound: Option<&AudioStep>,
    pieces: &[Piece],
    timescale: u32,
    tell: Tell<'_>,
) -> Result<(), MediaError> {
    let time_base = i32::try_from(timescale).unwrap_or(i32::MAX);
    let clock = Clock::representing((1, time_base));
    let mut sound = sound.map(Lent::open).transpose()?;
    let mut writing: Option<Writing> = None;
    for piece in pieces {
        let mut opened = Opened::open(piece, clock)?;
        let writing = match &mut writing {
            Some(writing) => writing,
            None => writing.insert(Writing::new(rung, &opened, sound.as_ref(), clock)?),
        };
        let from = clock.convert(piece.from, (1, time_base));
        writing.take(&mut opened, from, sound.as_mut())?;
        writing.end = from.saturating_add(clock.convert(piece.end, (1, time_base)));
    }
    let writing = writing.ok_or_else(|| MediaError::broken("a rung has no chunks"))?;
    tell(Report::Output(writing.finish(rung, sound.as_mut())?));
    Ok(())
}

/// A chunk's file.
struct Opened {
    source: Source,
    stream: usize,
    parameters: codec::Parameters,
    time_base: (i32, i32),
}

impl Opened {
    fn open(piece: &Piece, clock: Clock) -> Result<Self, MediaError> {
        let file = File::open(&piece.file).map_err(MediaError::io("open a chunk"))?;
        let source = Source::open(file)?;
        let stream = source.streams.iter().find(|stream| stream.kind == StreamKind::Video);
        let stream = stream.ok_or_else(|| MediaError::broken("a chunk has no pictures"))?.clone();
        if stream.time_base != (1, clock.time_base().1) {
            return Err(MediaError::broken("a chunk counts in another clock"));
        }
        let found = source.input.stream(stream.index as usize);
        let mut parameters = codec::Parameters::new();
        parameters.clone_from(&found.ok_or_else(|| MediaError::broken("a chunk has no pictures"))?.parameters());
        Ok(Self { source, stream: stream.index as usize, parameters, time_base: stream.time_base })
    }
}

struct Writing {
    file: Mp4,
    /// Parameter sets, the same in every chunk.
    header: Vec<u8>,
    clock: Clock,
    decode: Option<i64>,
    begin: Option<i64>,
    end: i64,
    /// Only when it stays the last is it known how long it must last.
    held: Option<Packet>,
}

impl Writing {
    fn new(rung: &Rung, first: &Opened, sound: Option<&Lent>, clock: Clock) -> Result<Self, MediaError> {
        let video = Some((first.parameters.clone(), clock));
        let file = Mp4::create(Path::new(&format!("{}.mp4", rung.name)), video, sound.map(Lent::track))?;
        Ok(Self { file, header: ffi::header(&first.parameters), clock, decode: None, begin: None, end: 0, held: None })
    }

    /// All packets of a chunk, whose first picture is shown at `from`.
    fn take(&mut self, piece: &mut Opened, from: i64, mut sound: Option<&mut Lent>) -> Result<(), MediaError> {
        if ffi::header(&piece.parameters) != self.header {
            return Err(MediaError::broken("chunks were encoded with different parameters"));
        }
        let mut heard = Vec::new();
        while let Some(packet) = piece.source.receive()? {
            if packet.stream() != piece.stream {
                continue;
            }
            let packet = self.placed(packet, piece.time_base, from)?;
            if let Some(before) = self.held.replace(packet) {
                self.file.write(Track::Video, before)?;
            }
            if let Some(sound) = &mut sound {
                sound.take(Some(u64::try_from(self.clock.to_millis(self.end)).unwrap_or(0)), &mut heard)?;
                write_sound(&mut self.file, &mut heard)?;
            }
        }
        Ok(())
    }

    /// Decode times ascend also where the pictures of one chunk last longer than those of the one before; none lies behind its
    /// picture's time, for every chunk begins with a key frame that is shown first.
    fn placed(&mut self, mut packet: Packet, time_base: (i32, i32), from: i64) -> Result<Packet, MediaError> {
        let place = |time: i64| self.clock.convert(time, time_base).saturating_add(from);
        let (Some(display), Some(decode)) = (packet.pts().map(place), packet.dts().map(place)) else {
            return Err(MediaError::broken("a packet has no time"));
        };
        let decode = self.decode.map_or(decode, |last| decode.max(last.saturating_add(1)));
        if decode > display {
            return Err(MediaError::broken("chunks overlap"));
        }
        self.decode = Some(decode);
        self.begin.get_or_insert(display);
        self.end = self.end.max(display.saturating_add(self.clock.convert(packet.duration().max(0), time_base)));
        packet.set_pts(Some(display));
        packet.set_dts(Some(decode));
        Ok(packet)
    }

    fn finish(mut self, rung: &Rung, sound: Option<&mut Lent>) -> Result<Output, MediaError> {
        if let Some(mut last) = self.held.take() {
            last.set_duration(self.end.saturating_sub(last.pts().unwrap_or(self.end)).max(1));
            self.file.write(Track::Video, last)?;
        }
        let mut heard = Vec::new();
        let mut sound_ms = 0;
        if let Some(sound) = sound {
            sound.take(None, &mut heard)?;
            write_sound(&mut self.file, &mut heard)?;
            sound_ms = sound.end_ms();
        }
        self.file.finish()?;
        let millis = |time| u64::try_from(self.clock.to_millis(time)).unwrap_or(0);
        Ok(Output {
            name: rung.name.clone(),
            file: format!("{}.mp4", rung.name),
            width: Some(rung.width),
            height: Some(rung.height),
            duration_ms: Some(millis(self.end).max(sound_ms)),
            begins_ms: Some(millis(self.begin.unwrap_or(0))),
            codecs: None,
        })
    }
}

fn write_sound(file: &mut Mp4, packets: &mut Vec<Packet>) -> Result<(), MediaError> {
    packets.drain(..).try_for_each(|packet| file.write(Track::Audio, packet))
}
