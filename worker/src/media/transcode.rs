//! Making everything a plan asks for in one pass: each stream is decoded once, pictures go down the ladder from rung to
//! rung, sound is encoded once and written into every file.

use std::{
    path::PathBuf,
    sync::mpsc::{SyncSender, sync_channel},
    thread,
};

use ffmpeg_next::{Packet, frame};
use reelgate_common::{file::Failure, grid::SegmentGrid, media_info::MediaInfo};

use super::{
    clock::Clock,
    decode::VideoDecoder,
    encode::VideoSettings,
    error::MediaError,
    ffi::{self, StreamFacts},
    input::Source,
    limits,
    mend::Mender,
    mux::{Mp4, Track},
    picture::{Pictures, Target},
    poster::Poster,
    rung::{Feed, Finished, RungTask, SoundTrack},
    sound::Sound,
};
use crate::{
    plan::{Plan, Rung, chosen_audio},
    task::protocol::Output,
};

/// Pictures that may wait between two rungs.
const WAITING: usize = 6;
/// Without rungs only the poster needs pictures.
const MAX_SIDE_OF_POSTER: u32 = 1280;

/// The last picture is shown at most so long, whatever the container says.
const LONGEST_STILL_SECONDS: u32 = 3600;

/// What is told while the work goes on.
pub enum Report {
    /// 0.0 to 1.0.
    Progress(f64),
    Output(Output),
    Refused {
        name: String,
        failure: Failure,
    },
}

type Tell<'a> = &'a mut dyn FnMut(Report);

/// Makes the outputs of `plan` in the working directory. A rung that cannot be made is told and the rest goes on.
pub fn transcode(
    source: &mut Source,
    media: &MediaInfo,
    plan: &Plan,
    threads: u32,
    tell: Tell<'_>,
) -> Result<(), MediaError> {
    let origin = origin(source, media, &plan.grid);
    let sound = open_sound(source, media, plan, origin)?;
    match &media.video {
        Some(video) => {
            let stream = facts(source, video.stream)?;
            Film::new(source, media, plan, threads, stream, sound, origin)?.run(source, plan, tell)
        }
        None => audio_only(source, media, sound, tell),
    }
}

fn facts(source: &Source, index: u32) -> Result<StreamFacts, MediaError> {
    let found = source.streams.iter().find(|stream| stream.index == index);
    found.cloned().ok_or_else(|| MediaError::broken("the source has changed since it was probed"))
}

/// Microseconds that become zero. The grid of a segment-safe source counts on the source's own timeline; all others begin
/// with their first picture or sound.
fn origin(source: &Source, media: &MediaInfo, grid: &SegmentGrid) -> i64 {
    if matches!(grid, SegmentGrid::Points { .. }) {
        return 0;
    }
    let wanted = |stream: &&StreamFacts| {
        media.video.as_ref().is_some_and(|video| video.stream == stream.index)
            || chosen_audio(media).is_some_and(|audio| audio.stream == stream.index)
    };
    let starts = source
        .streams
        .iter()
        .filter(wanted)
        .filter_map(|stream| Some(Clock::new(1_000_000).convert(stream.start?, stream.time_base)));
    let start = starts.min().unwrap_or(0);
    // Before an MP4's zero lies what its edit list cuts away.
    if media.container == "mov" { start.max(0) } else { start }
}

fn open_sound(source: &Source, media: &MediaInfo, plan: &Plan, origin: i64) -> Result<Option<Sound>, MediaError> {
    let bitrate =
        plan.rungs.iter().find_map(|rung| rung.audio_bitrate).or(plan.audio.as_ref().map(|audio| audio.bitrate));
    let (Some(track), Some(bitrate)) = (chosen_audio(media), bitrate) else { return Ok(None) };
    Ok(Some(Sound::open(source, &facts(source, track.stream)?, origin, bitrate)?))
}

fn audio_only(source: &mut Source, media: &MediaInfo, sound: Option<Sound>, tell: Tell<'_>) -> Result<(), MediaError> {
    let mut sound = sound.ok_or(MediaError::NotMedia)?;
    ffi::discard_all_but(&mut source.input, &[sound.stream]);
    let track = sound.track();
    let mut file = Mp4::create(&PathBuf::from("audio.m4a"), None, Some((track.parameters, track.clock)))?;
    let mut packets = Vec::new();
    let mut progress = Progress::new(media.duration_ms);
    while let Some(packet) = source.receive()? {
        if packet.stream() == sound.stream as usize {
            sound.send(&packet, &mut packets)?;
        }
        for packet in packets.drain(..) {
            file.write(Track::Audio, packet)?;
        }
        progress.reached(sound.end_ms(), tell);
    }
    sound.finish(&mut packets)?;
    if sound.end_ms() == 0 {
        return Err(MediaError::broken("no sound could be decoded"));
    }
    for packet in packets {
        file.write(Track::Audio, packet)?;
    }
    file.finish()?;
    tell(Report::Output(Output {
        name: "audio".to_owned(),
        file: "audio.m4a".to_owned(),
        width: None,
        height: None,
        duration_ms: Some(sound.end_ms()),
        codecs: Some(Sound::CODEC.to_owned()),
    }));
    Ok(())
}

/// A source with pictures under way.
struct Film {
    stream: StreamFacts,
    decoder: VideoDecoder,
    origin: i64,
    clock: Clock,
    mender: Mender,
    pictures: Pictures,
    poster: Option<Poster>,
    sound: Option<Sound>,
    rungs: Vec<SyncSender<Feed>>,
    workers: Vec<(Rung, thread::JoinHandle<Result<Finished, MediaError>>)>,
    /// A picture waits here until its successor says how long it is shown.
    held: Option<frame::Video>,
    /// How long the container shows the frame decoded last; zero when it does not say.
    stated_duration: i64,
    progress: Progress,
    shown: u64,
}

impl Film {
    fn new(
        source: &Source,
        media: &MediaInfo,
        plan: &Plan,
        threads: u32,
        stream: StreamFacts,
        sound: Option<Sound>,
        origin: i64,
    ) -> Result<Self, MediaError> {
        let video = media.video.as_ref().ok_or(MediaError::NotMedia)?;
        let clock = Clock::representing(stream.time_base);
        let rate = if video.average_frame_rate.0 > 0 { video.average_frame_rate } else { video.frame_rate };
        let nominal = nominal_duration(rate, clock);
        let (width, height) = match plan.rungs.first() {
            Some(top) => (top.width, top.height),
            None => poster_size(video.width, video.height),
        };
        let target =
            Target { width, height, rotation: video.rotation, mirrored: video.mirrored, interlaced: video.interlaced };
        let track = sound.as_ref().map(Sound::track);
        let settings = |rung: &Rung| VideoSettings {
            crf: rung.crf,
            preset: rung.preset.clone(),
            threads: threads.max(1),
            frame_rate: rate,
        };
        let (rungs, workers) = start_rungs(plan, clock, track.as_ref(), &settings)?;
        Ok(Self {
            decoder: VideoDecoder::open(source, &stream, threads)?,
            stream,
            origin,
            clock,
            mender: Mender::new(clock, nominal),
            pictures: Pictures::new(target, clock, threads),
            poster: plan.poster.then(|| Poster::new(media.duration_ms)),
            sound,
            rungs,
            workers,
            held: None,
            stated_duration: 0,
            progress: Progress::new(media.duration_ms),
            shown: 0,
        })
    }

    fn run(mut self, source: &mut Source, plan: &Plan, tell: Tell<'_>) -> Result<(), MediaError> {
        let mut wanted = vec![self.stream.index];
        wanted.extend(self.sound.as_ref().map(|sound| sound.stream));
        ffi::discard_all_but(&mut source.input, &wanted);
        let decoded = self.decode_all(source, plan, tell);
        // A source that breaks in the middle still gives what was decoded until then; a bomb gives nothing.
        let decoded = decoded.or_else(|error| match error {
            MediaError::Libav { .. } if self.shown > 0 => Ok(()),
            error => Err(error),
        });
        self.rungs.clear();
        let finished = self.finish_rungs(decoded.is_ok(), tell);
        decoded?;
        finished?;
        self.finish_poster(tell);
        Ok(())
    }

    fn decode_all(&mut self, source: &mut Source, plan: &Plan, tell: Tell<'_>) -> Result<(), MediaError> {
        let mut packets = Vec::new();
        while let Some(packet) = source.receive()? {
            if packet.stream() == self.stream.index as usize {
                self.decoder.send(&packet)?;
                self.decoded(tell)?;
            } else if let Some(sound) = self.sound.as_mut().filter(|sound| sound.stream as usize == packet.stream()) {
                sound.send(&packet, &mut packets)?;
                self.spread(&mut packets);
            }
            if plan.rungs.is_empty() && self.poster.as_ref().is_none_or(Poster::is_settled) {
                return Ok(());
            }
        }
        self.decoder.finish()?;
        self.decoded(tell)?;
        self.pictures.finish()?;
        self.filtered(tell)?;
        self.show(None)?;
        if let Some(sound) = &mut self.sound {
            sound.finish(&mut packets)?;
        }
        self.spread(&mut packets);
        Ok(())
    }

    fn decoded(&mut self, tell: Tell<'_>) -> Result<(), MediaError> {
        while let Some(mut frame) = self.decoder.receive()? {
            let origin = self.clock.of_micros(self.origin);
            let stated =
                frame.timestamp().map(|time| self.clock.convert(time, self.stream.time_base).saturating_sub(origin));
            let Some(time) = self.mender.mend(stated)? else { continue };
            frame.set_pts(Some(time));
            self.stated_duration = self.clock.convert(frame.packet().duration.max(0), self.stream.time_base);
            self.pictures.send(frame)?;
            self.filtered(tell)?;
        }
        Ok(())
    }

    fn filtered(&mut self, tell: Tell<'_>) -> Result<(), MediaError> {
        while let Some(picture) = self.pictures.receive()? {
            let time_ms = u64::try_from(self.clock.to_millis(picture.pts().unwrap_or(0))).unwrap_or(0);
            if let Some(poster) = &mut self.poster {
                poster.look(&picture, time_ms)?;
            }
            self.shown += 1;
            if self.shown > limits::MAX_FRAMES {
                return Err(MediaError::broken("it has more frames than any film"));
            }
            self.show(Some(picture))?;
            self.progress.reached(time_ms, tell);
        }
        Ok(())
    }

    /// Sends the held picture on, now that its end is known, and holds the new one.
    fn show(&mut self, next: Option<frame::Video>) -> Result<(), MediaError> {
        let (Some(time), Some(top)) = (self.held.as_ref().and_then(|held| held.pts()), self.rungs.first()) else {
            self.held = next;
            return Ok(());
        };
        let duration = match next.as_ref().and_then(|next| next.pts()) {
            Some(following) => following.saturating_sub(time).max(1),
            // A screen recording may show its last picture for seconds.
            None if self.stated_duration > 0 => self.stated_duration.min(self.clock.seconds(LONGEST_STILL_SECONDS)),
            None => self.mender.nominal(),
        };
        if let Some(picture) = self.held.take() {
            // A rung that has ended has said why.
            drop(top.send(Feed::Picture(picture, duration)));
        }
        self.held = next;
        Ok(())
    }

    fn spread(&self, packets: &mut Vec<Packet>) {
        for packet in packets.drain(..) {
            for rung in &self.rungs {
                drop(rung.send(Feed::Sound(packet.clone())));
            }
        }
    }

    fn finish_rungs(&mut self, whole: bool, tell: Tell<'_>) -> Result<(), MediaError> {
        let sound_ms = self.sound.as_ref().map(Sound::end_ms);
        let mut first_error = None;
        for (rung, worker) in self.workers.drain(..) {
            let outcome = worker.join().unwrap_or_else(|_| Err(MediaError::broken("a rung's thread died")));
            if !whole {
                continue;
            }
            match outcome {
                Ok(finished) => tell(Report::Output(output(&rung, &finished, sound_ms))),
                Err(error) => {
                    tell(Report::Refused { name: rung.name.clone(), failure: error.failure() });
                    first_error.get_or_insert(error);
                }
            }
        }
        match first_error {
            Some(error) if self.shown == 0 => Err(error),
            _ => Ok(()),
        }
    }

    fn finish_poster(&mut self, tell: Tell<'_>) {
        let Some(poster) = self.poster.take() else { return };
        let made = poster.finish(self.clock).and_then(|made| match made {
            Some((jpeg, width, height)) => {
                std::fs::write("poster.jpg", jpeg).map_err(MediaError::io("write the poster"))?;
                Ok((width, height))
            }
            None => Err(MediaError::broken("no picture could be decoded")),
        });
        let name = "poster".to_owned();
        tell(match made {
            Ok((width, height)) => Report::Output(Output {
                name,
                file: "poster.jpg".to_owned(),
                width: Some(width),
                height: Some(height),
                duration_ms: None,
                codecs: None,
            }),
            Err(error) => Report::Refused { name, failure: error.failure() },
        });
    }
}

type Workers = Vec<(Rung, thread::JoinHandle<Result<Finished, MediaError>>)>;

/// Starts a thread per rung, lowest first, each feeding the next lower one.
fn start_rungs(
    plan: &Plan,
    clock: Clock,
    sound: Option<&SoundTrack>,
    settings: &dyn Fn(&Rung) -> VideoSettings,
) -> Result<(Vec<SyncSender<Feed>>, Workers), MediaError> {
    let (mut feeds, mut workers) = (Vec::new(), Vec::new());
    let mut below = None;
    for rung in plan.rungs.iter().rev() {
        let (sender, feed) = sync_channel(WAITING);
        let task = RungTask {
            file: PathBuf::from(format!("{}.mp4", rung.name)),
            width: rung.width,
            height: rung.height,
            clock,
            grid: plan.grid.clone(),
            settings: settings(rung),
            sound: sound.cloned(),
            feed,
            below: below.replace(sender.clone()),
        };
        let builder = thread::Builder::new().name(rung.name.clone());
        let worker = builder.spawn(move || task.run()).map_err(MediaError::io("start a thread"))?;
        feeds.push(sender);
        workers.push((rung.clone(), worker));
    }
    feeds.reverse();
    workers.reverse();
    Ok((feeds, workers))
}

fn output(rung: &Rung, finished: &Finished, sound_ms: Option<u64>) -> Output {
    let codecs = finished.codecs.as_ref().map(|video| match sound_ms {
        Some(_) => format!("{video},{}", Sound::CODEC),
        None => video.clone(),
    });
    Output {
        name: rung.name.clone(),
        file: format!("{}.mp4", rung.name),
        width: Some(rung.width),
        height: Some(rung.height),
        duration_ms: Some(finished.duration_ms.max(sound_ms.unwrap_or(0))),
        codecs,
    }
}

fn nominal_duration((num, den): (u32, u32), clock: Clock) -> i64 {
    if num == 0 || den == 0 {
        return clock.convert(40, (1, 1_000));
    }
    let (num, den) = (i32::try_from(num).unwrap_or(i32::MAX), i64::from(den));
    clock.convert(den, (1, num)).max(1)
}

/// Display size, even, at most as wide as a poster gets.
fn poster_size(width: u32, height: u32) -> (u32, u32) {
    let longest = width.max(height).max(1);
    let scale = |side: u32| {
        let scaled = u64::from(side) * u64::from(MAX_SIDE_OF_POSTER.min(longest)) / u64::from(longest);
        u32::try_from(scaled).unwrap_or(2).max(2) & !1
    };
    (scale(width), scale(height))
}

/// Tells how far the work is, in steps of half a percent.
struct Progress {
    duration_ms: u64,
    told: u64,
}

impl Progress {
    fn new(duration_ms: u64) -> Self {
        Self { duration_ms, told: 0 }
    }

    fn reached(&mut self, time_ms: u64, tell: Tell<'_>) {
        let Some(steps) = time_ms.saturating_mul(200).checked_div(self.duration_ms) else { return };
        let steps = steps.min(198);
        if steps > self.told {
            self.told = steps;
            tell(Report::Progress(steps as f64 / 200.0));
        }
    }
}
