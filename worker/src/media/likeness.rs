//! How like its film a rung is: while it is encoded, its packets are decoded again and every few pictures held against what went in,
//! at the rung's own size and at the film's largest. For samples alone; what people play is never made beside this.

use std::collections::VecDeque;

use ffmpeg_next::{Packet, codec, decoder, frame};

use super::{
    clock::Clock,
    error::{MediaError, ready},
    ffi,
    filter::Comparison,
    rung::SHARE,
};

/// One picture of so many is compared. Those between cost no memory, and an encoder treats them no other way.
const ONE_OF: u64 = 4;

/// A rung's sums over one stretch of a film.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Likeness {
    /// Pictures that were compared.
    pub compared: u32,
    /// Sums of what each was like: at its own size, and at the largest.
    pub own: f64,
    pub shown: f64,
    /// Of all packets.
    pub bytes: u64,
    /// How long all pictures are shown.
    pub millis: u64,
}

/// A picture that an encoder still holds.
struct Held {
    time: i64,
    scaled: frame::Video,
    /// At the largest rung's size; none where that is the rung's own.
    original: Option<frame::Video>,
}

pub(super) struct Yardstick {
    clock: Clock,
    /// Open from the first packet on.
    decoder: Option<decoder::Video>,
    held: VecDeque<Held>,
    own: Option<Comparison>,
    shown: Option<Comparison>,
    seen: u64,
    sums: Likeness,
}

impl Yardstick {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, decoder: None, held: VecDeque::new(), own: None, shown: None, seen: 0, sums: Likeness::default() }
    }

    /// A picture that goes into the encoder at `time`, and the one that it was scaled from.
    pub(super) fn given(
        &mut self,
        time: i64,
        scaled: &frame::Video,
        original: &frame::Video,
    ) -> Result<(), MediaError> {
        self.seen += 1;
        if self.seen % ONE_OF != 1 {
            return Ok(());
        }
        let same = (scaled.width(), scaled.height()) == (original.width(), original.height());
        let share = |picture| ffi::share(picture).map_err(MediaError::libav(SHARE));
        let original = if same { None } else { Some(share(original)?) };
        self.held.push_back(Held { time, scaled: share(scaled)?, original });
        Ok(())
    }

    /// A packet as the encoder gives it; `parameters` are the encoder's.
    pub(super) fn made(
        &mut self,
        packet: &Packet,
        parameters: impl FnOnce() -> codec::Parameters,
    ) -> Result<(), MediaError> {
        self.sums.bytes += packet.size() as u64;
        let decoder = match &mut self.decoder {
            Some(decoder) => decoder,
            None => self.decoder.insert(open(parameters())?),
        };
        decoder.send_packet(packet).map_err(MediaError::libav("decode a sample"))?;
        self.decoded()
    }

    /// All went out; `millis` is how long they are shown.
    pub(super) fn finish(mut self, millis: u64) -> Result<Likeness, MediaError> {
        if let Some(decoder) = &mut self.decoder {
            ready("decode a sample", decoder.send_eof())?;
        }
        self.decoded()?;
        let finish = |comparison: &mut Option<Comparison>| comparison.as_mut().map_or(Ok((0, 0.0)), Comparison::finish);
        let (own, shown) = (finish(&mut self.own)?, finish(&mut self.shown)?);
        self.sums.own += own.1;
        // Where a rung is the largest it is compared once.
        self.sums.shown += if self.shown.is_some() { shown.1 } else { own.1 };
        self.sums.compared += own.0;
        self.sums.millis = millis;
        if self.sums.compared == 0 || self.shown.is_some() && shown.0 != own.0 {
            return Err(MediaError::broken("a sample cannot be held against its film"));
        }
        Ok(self.sums)
    }

    fn decoded(&mut self) -> Result<(), MediaError> {
        let Some(decoder) = &mut self.decoder else { return Ok(()) };
        let mut picture = frame::Video::empty();
        while ready("decode a sample", decoder.receive_frame(&mut picture))? {
            let made = std::mem::replace(&mut picture, frame::Video::empty());
            let Some(time) = made.timestamp() else { continue };
            while self.held.front().is_some_and(|held| held.time < time) {
                self.held.pop_front();
            }
            let Some(held) = self.held.pop_front_if(|held| held.time == time) else { continue };
            if let Some(original) = held.original {
                let shared = ffi::share(&made).map_err(MediaError::libav(SHARE))?;
                compare(&mut self.shown, self.clock, shared, original, time)?;
            }
            compare(&mut self.own, self.clock, made, held.scaled, time)?;
        }
        Ok(())
    }
}

fn compare(
    comparison: &mut Option<Comparison>,
    clock: Clock,
    mut made: frame::Video,
    mut original: frame::Video,
    time: i64,
) -> Result<(), MediaError> {
    let comparison = match comparison {
        Some(comparison) => comparison,
        None => comparison.insert(Comparison::new(&made, &original, clock)?),
    };
    made.set_pts(Some(time));
    original.set_pts(Some(time));
    comparison.send(made, original)
}

fn open(parameters: codec::Parameters) -> Result<decoder::Video, MediaError> {
    let failed = "open a sample's decoder";
    let context = codec::Context::from_parameters(parameters).map_err(MediaError::libav(failed))?;
    context.decoder().video().map_err(MediaError::libav(failed))
}
