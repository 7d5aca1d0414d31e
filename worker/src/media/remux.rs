//! Putting the source's own pictures into a plain MP4, with the sound beside them copied or encoded. Whether the result can be
//! cut is for the parent to judge by its index; what is refused here or there is encoded instead.

use std::path::PathBuf;

use ffmpeg_next::Packet;
use reelgate_common::media_info::MediaInfo;

use super::{
    copy::CopiedTrack,
    error::MediaError,
    ffi,
    input::Source,
    loudness,
    mux::{Mp4, Track},
    report::{Progress, Report, Tell},
    soundtrack::Soundtrack,
    transcode::origin,
};
use crate::{
    plan::{Plan, SoundStep, VideoStep},
    task::protocol::{Output, SOUND_FILE},
};

/// Makes the plan's copied rung in the working directory.
pub fn remux(source: &mut Source, media: &MediaInfo, plan: &Plan, tell: Tell<'_>) -> Result<(), MediaError> {
    let (Some(rung), Some(video)) = (plan.remuxed(), &media.video) else { return Err(MediaError::NotMedia) };
    let origin = origin(source, media);
    let pictures = CopiedTrack::open(source, source.stream(video.stream)?, origin)?;
    let step = plan.main_audio().filter(|_| rung.audio);
    let corrections = loudness::measure(source, plan, origin)?;
    let sound = step.map(|step| Soundtrack::open(source, step, origin, &corrections)).transpose()?;
    let mut wanted = vec![video.stream];
    wanted.extend(sound.as_ref().map(Soundtrack::stream));
    ffi::discard_all_but(&mut source.input, &wanted);
    let name = format!("{}.mp4", rung.name);
    let file = Mp4::create(&PathBuf::from(&name), Some(pictures.track()), sound.as_ref().map(Soundtrack::track))?;
    let lent = sound.as_ref().filter(|_| is_wanted_again(plan)).map(Soundtrack::track);
    let lent = lent.map(|track| Mp4::create(&PathBuf::from(SOUND_FILE), None, Some(track))).transpose()?;
    let end_ms = Copying { pictures, sound, file, lent }.run(source, &mut Progress::new(media.duration_ms), tell)?;
    tell(Report::Output(Output {
        name: rung.name.clone(),
        file: name,
        width: Some(rung.width),
        height: Some(rung.height),
        duration_ms: Some(end_ms),
        ..Output::default()
    }));
    Ok(())
}

/// Whether sound that is encoded here is wanted by other rungs, which would else encode it again.
fn is_wanted_again(plan: &Plan) -> bool {
    let encoded = plan.main_audio().is_some_and(|step| matches!(step.step, SoundStep::Encode { .. }));
    encoded && plan.rungs.iter().any(|rung| rung.audio && rung.video != VideoStep::Copy)
}

struct Copying {
    pictures: CopiedTrack,
    sound: Option<Soundtrack>,
    file: Mp4,
    /// Sound alone, for rungs that are made later.
    lent: Option<Mp4>,
}

impl Copying {
    /// Gives the length in milliseconds.
    fn run(mut self, source: &mut Source, progress: &mut Progress, tell: Tell<'_>) -> Result<u64, MediaError> {
        let mut packets = Vec::new();
        while let Some(packet) = source.receive()? {
            if packet.stream() == self.pictures.stream as usize {
                self.picture(packet)?;
                progress.reached(self.pictures.end_ms(), tell);
            } else if let Some(sound) = self.sound.as_mut().filter(|sound| sound.stream() as usize == packet.stream()) {
                sound.send(&packet, &mut packets)?;
                self.write_sound(&mut packets)?;
            }
        }
        if let Some(sound) = &mut self.sound {
            sound.finish(&mut packets)?;
        }
        self.write_sound(&mut packets)?;
        self.file.finish()?;
        self.lent.map_or(Ok(()), Mp4::finish)?;
        let sound_ms = self.sound.as_ref().map_or(0, Soundtrack::end_ms);
        Ok(self.pictures.end_ms().max(sound_ms))
    }

    fn picture(&mut self, packet: Packet) -> Result<(), MediaError> {
        match self.pictures.take(packet)? {
            Some(packet) => self.file.write(Track::Video, packet),
            None => Ok(()),
        }
    }

    fn write_sound(&mut self, packets: &mut Vec<Packet>) -> Result<(), MediaError> {
        for packet in packets.drain(..) {
            if let Some(lent) = &mut self.lent {
                lent.write(Track::Audio, packet.clone())?;
            }
            self.file.write(Track::Audio, packet)?;
        }
        Ok(())
    }
}
