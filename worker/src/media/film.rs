//! A source with pictures under way: each stream is decoded once, pictures go to the highest rung and to whoever wants a
//! still, sound is encoded once and written into every file.

use ffmpeg_next::frame;
use reelgate_common::media_info::MediaInfo;

use super::{
    cadence::Ticks,
    cascade::{Cascade, Common},
    clock::Clock,
    decode::VideoDecoder,
    error::MediaError,
    extras::Extras,
    ffi::{self, StreamFacts},
    input::Source,
    limits,
    making::Making,
    mend::Mender,
    picture::{Pictures, Target},
    report::{Progress, Report, Tell},
    shortfall::Reached,
    sounds::Sounds,
    window::Window,
};
use crate::{plan::Plan, task::protocol::Moment};

/// Without rungs only images need pictures.
const MAX_SIDE_OF_IMAGES: u32 = 1280;
/// And of a film longer than this key frames will do.
const ALL_FRAMES_MS: u64 = 60_000;
/// The last picture is shown at most so long, whatever the container says.
const LONGEST_STILL_SECONDS: u32 = 3600;

/// What a film is made from besides its source and its plan.
pub(super) struct Reel {
    pub(super) stream: StreamFacts,
    pub(super) sounds: Sounds,
    /// Microseconds that become zero.
    pub(super) origin: i64,
    pub(super) threads: u32,
    /// The whole film without one.
    pub(super) window: Option<Window>,
    /// How like the film its rungs are is told as well.
    pub(super) measured: bool,
}

pub(super) struct Film {
    stream: StreamFacts,
    decoder: VideoDecoder,
    origin: i64,
    clock: Clock,
    mender: Mender,
    pictures: Pictures,
    extras: Extras,
    making: Making,
    sounds: Sounds,
    cascade: Cascade,
    /// A picture waits here until its successor says how long it is shown.
    held: Option<frame::Video>,
    /// Pictures come at a constant rate.
    paced: bool,
    /// How long the container shows the frame decoded last; zero when it does not say.
    stated_duration: i64,
    progress: Progress,
    shown: u64,
    /// Where the last picture ends.
    end: i64,
    /// As the container says.
    stated_ms: u64,
    /// The source was read to its end.
    whole: bool,
    window: Option<Window>,
    /// Of the pictures no more is decoded.
    keys_only: bool,
}

impl Film {
    pub(super) fn new(source: &Source, media: &MediaInfo, plan: &Plan, reel: Reel) -> Result<Self, MediaError> {
        let Reel { stream, sounds, origin, threads, window, measured } = reel;
        let video = media.video.as_ref().ok_or(MediaError::NotMedia)?;
        let ticks = plan.constant_rate.and_then(Ticks::of);
        let clock = ticks.map_or(Clock::representing(stream.time_base), Ticks::clock);
        let average = if video.average_frame_rate.0 > 0 { video.average_frame_rate } else { video.frame_rate };
        let rate = plan.constant_rate.unwrap_or(average);
        let nominal = nominal_duration(rate, clock);
        let (width, height) = match plan.rungs.first() {
            Some(top) => (top.width, top.height),
            None => image_size(video.width, video.height),
        };
        let target =
            Target { width, height, rotation: video.rotation, mirrored: video.mirrored, interlaced: video.interlaced };
        let window = window.map(|window| window.in_clock(clock));
        let (begins, sound) = (window.map_or(0, |window| window.from), sounds.track());
        let duration_ms = if window.is_some() { 0 } else { media.duration_ms };
        let common = Common { plan, clock, sound, frame_rate: rate, threads, duration_ms, begins, measured };
        let cascade = Cascade::start(&common)?;
        let mut decoder = VideoDecoder::open(source, &stream, threads)?;
        let keys_only = plan.rungs.is_empty() && media.duration_ms > ALL_FRAMES_MS;
        if keys_only {
            decoder.only_keys();
        }
        Ok(Self {
            decoder,
            stream,
            origin,
            clock,
            mender: match window.and_then(|window| window.entry) {
                Some(entry) => Mender::new(clock, nominal).from(entry),
                None => Mender::new(clock, nominal),
            },
            pictures: Pictures::new(target, clock, threads).at(ticks),
            extras: Extras::new(source, media, &plan.extras, clock, origin),
            making: Making::default(),
            sounds,
            cascade,
            held: None,
            paced: ticks.is_some(),
            stated_duration: 0,
            progress: match window {
                Some(window) => window.progress(clock, media.duration_ms),
                None => Progress::new(media.duration_ms),
            },
            shown: 0,
            end: 0,
            stated_ms: media.duration_ms,
            whole: false,
            window,
            keys_only,
        })
    }

    pub(super) fn run(mut self, source: &mut Source, plan: &Plan, tell: Tell<'_>) -> Result<(), MediaError> {
        let mut wanted = vec![self.stream.index];
        wanted.extend(self.sounds.streams());
        wanted.extend(self.extras.streams());
        ffi::discard_all_but(&mut source.input, &wanted);
        if let Some(window) = &self.window {
            window.enter(source, &self.stream, (self.clock, self.origin))?;
        }
        let decoded = self.decode_all(source, plan, tell);
        self.cascade.close();
        if decoded.is_ok() {
            tell(Report::Reached(Moment::LastPicture));
            self.warn(tell);
        }
        let whole = decoded.is_ok();
        // Beside the encoders, which give out what they hold back: no rung waits for an image to be told.
        let extras = self.extras.take();
        let begun = if whole { self.making.begin(move || extras.finish()) } else { Ok(()) };
        let finished = self.finish_rungs(whole, tell);
        decoded?;
        finished?;
        begun?;
        self.making.finish(tell)?;
        tell(Report::Reached(Moment::Extras));
        Ok(())
    }

    fn decode_all(&mut self, source: &mut Source, plan: &Plan, tell: Tell<'_>) -> Result<(), MediaError> {
        match self.read_all(source, plan, tell) {
            Ok(whole) => {
                // Without rungs no more is decoded than is wanted, and of a long film key frames alone.
                let looked = !self.keys_only && self.extras.wants_pictures();
                self.whole = whole && (!plan.rungs.is_empty() || looked || self.sounds.keeps());
                if whole { self.flush(tell) } else { Ok(()) }
            }
            // A source that breaks in the middle still gives what was decoded until then; a bomb gives nothing.
            Err(MediaError::Libav { .. }) if self.shown > 0 && self.window.is_none() => {
                self.whole = true;
                self.flush(tell).or_else(|error| match error {
                    MediaError::Libav { .. } => Ok(()),
                    error => Err(error),
                })
            }
            Err(error) => Err(error),
        }
    }

    /// Whether all of it was read; not when nobody wants more.
    fn read_all(&mut self, source: &mut Source, plan: &Plan, tell: Tell<'_>) -> Result<bool, MediaError> {
        let mut packets = Vec::new();
        while let Some(packet) = source.receive()? {
            if packet.stream() == self.stream.index as usize {
                if !plan.rungs.is_empty() || self.extras.wants_pictures() {
                    self.decoder.send(&packet)?;
                    self.decoded(tell)?;
                    if self.window.as_mut().is_some_and(|window| window.is_read(self.end)) {
                        return Ok(true);
                    }
                    self.sounds.keep_up(self.end_ms(), &mut packets)?;
                }
            } else {
                self.sounds.send(&packet, &mut packets)?;
                self.extras.packet(&packet);
            }
            self.cascade.sound(&mut packets);
            let sound = plan.audio_only().next().is_some() || self.sounds.keeps();
            if plan.rungs.is_empty() && !sound && self.extras.is_settled() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn flush(&mut self, tell: Tell<'_>) -> Result<(), MediaError> {
        self.decoder.finish()?;
        self.decoded(tell)?;
        self.pictures.finish()?;
        self.filtered(tell)?;
        self.show(None)?;
        let mut packets = Vec::new();
        self.sounds.finish_main(&mut packets)?;
        self.cascade.sound(&mut packets);
        Ok(())
    }

    /// Says where the source fell short of what it promised.
    fn warn(&self, tell: Tell<'_>) {
        if !self.whole || self.window.is_some() {
            return;
        }
        let reached = Reached {
            stated_ms: self.stated_ms,
            pictures_ms: (!self.keys_only).then(|| self.end_ms()),
            sound_ms: self.sounds.end_ms(),
            damaged: self.decoder.damaged() + self.sounds.damaged(),
        };
        reached.warnings().into_iter().for_each(|warning| tell(Report::Warned(warning)));
    }

    /// Where the pictures end so far.
    fn end_ms(&self) -> u64 {
        u64::try_from(self.clock.to_millis(self.end)).unwrap_or(0)
    }

    fn decoded(&mut self, tell: Tell<'_>) -> Result<(), MediaError> {
        while let Some(mut frame) = self.decoder.receive()? {
            let origin = self.clock.of_micros(self.origin);
            let stated =
                frame.timestamp().map(|time| self.clock.convert(time, self.stream.time_base).saturating_sub(origin));
            // Pictures that lean on what was not read.
            if self.window.is_some_and(|window| window.is_before(stated)) {
                continue;
            }
            let Some(time) = self.mender.mend(stated)? else { continue };
            frame.set_pts(Some(time));
            self.stated_duration = self.clock.convert(frame.packet().duration.max(0), self.stream.time_base);
            self.end = time.saturating_add(self.stated_duration.max(self.mender.nominal()));
            self.pictures.send(frame, self.stated_duration)?;
            self.filtered(tell)?;
        }
        Ok(())
    }

    fn filtered(&mut self, tell: Tell<'_>) -> Result<(), MediaError> {
        while let Some(picture) = self.pictures.receive()? {
            if self.window.is_some_and(|window| !window.shows(picture.pts())) {
                continue;
            }
            let time_ms = u64::try_from(self.clock.to_millis(picture.pts().unwrap_or(0))).unwrap_or(0);
            self.extras.look(&picture, time_ms);
            self.shown += 1;
            if self.shown == 1 {
                tell(Report::Reached(Moment::FirstPicture));
            }
            if self.shown > limits::MAX_FRAMES {
                return Err(MediaError::broken("it has more frames than any film"));
            }
            self.show(Some(picture))?;
            self.progress.reached(time_ms, tell);
        }
        if let Some(extras) = self.extras.take_settled() {
            self.making.begin(move || extras.finish())?;
        }
        self.cascade.tell_excerpts(tell);
        self.making.tell_made(tell)
    }

    /// Sends the held picture on, now that its end is known, and holds the new one.
    fn show(&mut self, next: Option<frame::Video>) -> Result<(), MediaError> {
        let Some(time) = self.held.as_ref().and_then(|held| held.pts()).filter(|_| !self.cascade.is_empty()) else {
            self.held = next;
            return Ok(());
        };
        let duration = match next.as_ref().and_then(|next| next.pts()) {
            Some(following) => following.saturating_sub(time).max(1),
            None if self.window.is_some_and(|window| window.to.is_some()) => {
                self.window.and_then(|window| window.to).map_or(1, |to| to.saturating_sub(time).max(1))
            }
            // A screen recording may show its last picture for seconds.
            None if self.paced => self.mender.nominal(),
            None if self.stated_duration > 0 => self.stated_duration.min(self.clock.seconds(LONGEST_STILL_SECONDS)),
            None => self.mender.nominal(),
        };
        if let Some(picture) = self.held.take() {
            self.cascade.picture(picture, duration)?;
        }
        self.held = next;
        Ok(())
    }

    fn finish_rungs(&mut self, whole: bool, tell: Tell<'_>) -> Result<(), MediaError> {
        if let Some(window) = self.window.filter(|_| whole) {
            window.prove(self.shown, self.decoder.damaged())?;
        }
        let sound_ms = self.sounds.main_ms();
        let failed = self.cascade.finish(sound_ms, whole.then_some(&mut *tell));
        if whole {
            self.sounds.finish_files(tell);
        }
        match failed {
            Some(error) if self.shown == 0 => Err(error),
            _ => Ok(()),
        }
    }
}

fn nominal_duration((num, den): (u32, u32), clock: Clock) -> i64 {
    if num == 0 || den == 0 {
        return clock.convert(40, (1, 1_000));
    }
    let (num, den) = (i32::try_from(num).unwrap_or(i32::MAX), i64::from(den));
    clock.convert(den, (1, num)).max(1)
}

/// Display size, even, at most as large as an image gets.
fn image_size(width: u32, height: u32) -> (u32, u32) {
    let longest = width.max(height).max(1);
    let scale = |side: u32| {
        let scaled = u64::from(side) * u64::from(MAX_SIDE_OF_IMAGES.min(longest)) / u64::from(longest);
        u32::try_from(scaled).unwrap_or(2).max(2) & !1
    };
    (scale(width), scale(height))
}
