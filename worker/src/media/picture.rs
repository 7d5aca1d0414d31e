//! From decoded frames to upright, progressive, square-pixelled, 8-bit 4:2:0 frames of one size: which filters that takes
//! (pure), and the stage that runs them and rebuilds them when the source changes in mid-stream.

use ffmpeg_next::frame;
use std::collections::VecDeque;

use super::{
    cadence::{Cadence, Ticks},
    clock::Clock,
    color::{self, ColorTags},
    error::MediaError,
    ffi,
    filter::VideoGraph,
    tone,
};

/// How the picture must be turned and what size it shall have, as a viewer sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) width: u32,
    pub(super) height: u32,
    /// Clockwise degrees.
    pub(super) rotation: u16,
    pub(super) mirrored: bool,
    /// The container says that frames are fields.
    pub(super) interlaced: bool,
}

/// What a graph was built for; another look needs another graph.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Look {
    width: u32,
    height: u32,
    pixels: String,
    /// With nothing unspecified.
    tags: ColorTags,
    interlaced: bool,
    /// Its lines lie backwards in memory.
    backwards: bool,
}

/// Frames in any look, frames of the target out.
pub(super) struct Pictures {
    target: Target,
    clock: Clock,
    threads: u32,
    graph: Option<(Look, ColorTags, VideoGraph)>,
    /// Where pictures come at a constant rate.
    cadence: Option<Cadence>,
    /// When the last frame taken has been shown.
    end: i64,
    /// No more frames come.
    ended: bool,
    ready: VecDeque<frame::Video>,
}

impl Pictures {
    pub(super) fn new(target: Target, clock: Clock, threads: u32) -> Self {
        Self { target, clock, threads, graph: None, cadence: None, end: 0, ended: false, ready: VecDeque::new() }
    }

    /// At the rate of `ticks`, whose clock must be the stage's.
    pub(super) fn at(self, ticks: Option<Ticks>) -> Self {
        Self { cadence: ticks.map(Cadence::new), ..self }
    }

    /// Takes a frame whose time is in the stage's clock, and how long it is shown as far as its container says.
    pub(super) fn send(&mut self, mut frame: frame::Video, duration: i64) -> Result<(), MediaError> {
        self.end = frame.pts().unwrap_or(0).saturating_add(duration);
        let mut look = look(&frame);
        ffi::set_color_tags(&mut frame, look.tags);
        // Once deinterlacing, always: a stream of fields holds progressive frames here and there.
        look.interlaced |= self.target.interlaced || self.graph.as_ref().is_some_and(|(old, ..)| old.interlaced);
        if self.graph.as_ref().is_none_or(|(old, ..)| *old != look) {
            self.drain()?;
            let (spec, tags) = filters(&look, self.target, tone::brightest(&frame));
            let graph = VideoGraph::new(&spec, &frame, self.clock, self.threads)?;
            self.graph = Some((look, tags, graph));
        }
        match &mut self.graph {
            Some((.., graph)) => graph.send(frame),
            None => Ok(()),
        }
    }

    pub(super) fn receive(&mut self) -> Result<Option<frame::Video>, MediaError> {
        let Some(mut cadence) = self.cadence.take() else { return self.filtered() };
        let picture = self.paced(&mut cadence);
        self.cadence = Some(cadence);
        picture
    }

    pub(super) fn finish(&mut self) -> Result<(), MediaError> {
        self.drain()?;
        self.ended = true;
        Ok(())
    }

    fn paced(&mut self, cadence: &mut Cadence) -> Result<Option<frame::Video>, MediaError> {
        loop {
            if let Some(picture) = cadence.receive()? {
                return Ok(Some(picture));
            }
            match self.filtered()? {
                Some(picture) => cadence.send(picture),
                None if std::mem::take(&mut self.ended) => cadence.finish(self.end),
                None => return Ok(None),
            }
        }
    }

    fn filtered(&mut self) -> Result<Option<frame::Video>, MediaError> {
        if let Some(picture) = self.ready.pop_front() {
            return Ok(Some(picture));
        }
        let Some((_, tags, graph)) = &mut self.graph else { return Ok(None) };
        let frame = graph.receive()?;
        Ok(frame.map(|frame| tagged(frame, *tags)))
    }

    fn drain(&mut self) -> Result<(), MediaError> {
        if let Some((_, tags, mut graph)) = self.graph.take() {
            graph.finish()?;
            while let Some(frame) = graph.receive()? {
                self.ready.push_back(tagged(frame, tags));
            }
        }
        Ok(())
    }
}

fn tagged(mut frame: frame::Video, tags: ColorTags) -> frame::Video {
    ffi::set_color_tags(&mut frame, tags);
    frame
}

fn look(frame: &frame::Video) -> Look {
    Look {
        width: frame.width(),
        height: frame.height(),
        pixels: ffi::pixel_name(frame),
        tags: ffi::color_tags(frame).guessed(frame.width(), frame.height()),
        interlaced: frame.is_interlaced(),
        backwards: ffi::is_backwards(frame),
    }
}

/// The filters from a look to the target, and the colours that come out; `peak` in nits, where the source says it.
fn filters(look: &Look, target: Target, peak: Option<f64>) -> (String, ColorTags) {
    let mut chain = Vec::new();
    if look.interlaced && look.width >= 4 && look.height >= 4 {
        chain.push("bwdif=mode=send_frame:deint=interlaced".to_owned());
    }
    // Scaled before it is turned: the turn is cheaper on fewer pixels.
    let (width, height) =
        if target.rotation % 180 == 90 { (target.height, target.width) } else { (target.width, target.height) };
    let tags = look.tags;
    let out = if tags.is_hdr() || tags.is_wide() {
        chain.push(format!("scale={width}:{height}:flags=bicubic"));
        chain.push(tone::to_sdr(tags, peak));
        ColorTags::SDR
    } else {
        let out = ColorTags { full_range: false, matrix: color::encodable_matrix(tags.matrix), ..tags };
        chain.extend(plain_scale(look, (width, height), tags, out));
        out
    };
    chain.extend(turn(target.rotation, target.mirrored).map(str::to_owned));
    chain.push("setsar=1".to_owned());
    (chain.join(","), out)
}

fn plain_scale(look: &Look, (width, height): (u32, u32), tags: ColorTags, out: ColorTags) -> Option<String> {
    let same_size = (look.width, look.height) == (width, height);
    if same_size && look.pixels == "yuv420p" && !tags.full_range && tags.matrix == out.matrix {
        return look.backwards.then(|| "copy".to_owned());
    }
    let matrix = color::scaler_matrix(out.matrix);
    let from = color::scaler_matrix(tags.matrix);
    let range = if tags.full_range { "pc" } else { "tv" };
    Some(format!(
        "scale={width}:{height}:flags=bicubic:in_color_matrix={from}:out_color_matrix={matrix}:in_range={range}:out_range=tv,format=yuv420p"
    ))
}

/// The filters that make the picture upright. What `vflip` gives has its lines backwards in memory, which the bindings cannot
/// read, so something that writes lines anew comes behind it.
fn turn(rotation: u16, mirrored: bool) -> Option<&'static str> {
    match (rotation, mirrored) {
        (90, false) => Some("transpose=clock"),
        (90, true) => Some("transpose=cclock_flip"),
        (180, false) => Some("vflip,hflip"),
        (180, true) => Some("hflip"),
        (270, false) => Some("transpose=cclock"),
        (270, true) => Some("transpose=clock_flip"),
        (_, true) => Some("vflip,copy"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(pixels: &str, tags: ColorTags) -> Look {
        Look { width: 1920, height: 1080, pixels: pixels.to_owned(), tags, interlaced: false, backwards: false }
    }

    fn target(width: u32, height: u32, rotation: u16) -> Target {
        Target { width, height, rotation, mirrored: false, interlaced: false }
    }

    #[test]
    fn a_plain_source_at_its_own_size_is_not_touched() {
        assert_eq!(filters(&look("yuv420p", ColorTags::SDR), target(1920, 1080, 0), None).0, "setsar=1");
    }

    #[test]
    fn a_quarter_turn_scales_before_it_turns() {
        let (spec, _) = filters(&look("yuv420p", ColorTags::SDR), target(720, 1280, 90), None);
        assert!(spec.starts_with("scale=1280:720:"), "{spec}");
        assert!(spec.ends_with("transpose=clock,setsar=1"), "{spec}");
    }

    #[test]
    fn full_range_becomes_limited() {
        let tags = ColorTags { full_range: true, ..ColorTags::SDR };
        let (spec, out) = filters(&look("yuvj420p", tags), target(1920, 1080, 0), None);
        assert!(spec.contains("in_range=pc:out_range=tv"), "{spec}");
        assert!(!out.full_range);
    }

    #[test]
    fn hdr_is_tone_mapped_and_tagged_bt709() {
        let tags = ColorTags { primaries: 9, transfer: 18, matrix: 9, full_range: false };
        let (spec, out) = filters(&look("yuv420p10le", tags), target(1920, 1080, 0), None);
        assert!(spec.contains("npl=203") && spec.contains("tonemap"), "{spec}");
        assert_eq!(out, ColorTags::SDR);
    }
}
