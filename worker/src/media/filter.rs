//! libav's filter graphs as stages. Graph and filters live and die together here, for libav's contexts dangle otherwise.

use std::{marker::PhantomData, ops::DerefMut};

use ffmpeg_next::{
    filter::{self, Graph},
    frame::{self, Frame},
};

use super::{
    clock::Clock,
    error::{MediaError, ready},
    ffi,
};

const IN: &str = "in";
const OUT: &str = "out";
/// Where a film's own pictures go in, beside what was made of them.
const FILM: &str = "film";

/// What filters carry: pictures or sound.
pub(super) trait Filtered: DerefMut<Target = Frame> {
    /// For errors.
    const NAME: &'static str;
    fn empty() -> Self;
}

impl Filtered for frame::Video {
    const NAME: &'static str = "filter video";

    fn empty() -> Self {
        Self::empty()
    }
}

impl Filtered for frame::Audio {
    const NAME: &'static str = "filter audio";

    fn empty() -> Self {
        Self::empty()
    }
}

/// Frames in, frames out.
pub(super) struct FilterGraph<F> {
    graph: Graph,
    /// Of the frames that come out.
    clock: Clock,
    frames: PhantomData<F>,
}

pub(super) type VideoGraph = FilterGraph<frame::Video>;
pub(super) type AudioGraph = FilterGraph<frame::Audio>;

impl<F: Filtered> FilterGraph<F> {
    fn around(graph: Graph, clock: Clock) -> Self {
        Self { graph, clock, frames: PhantomData }
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "libav moves the frame's content out, behind the shared reference"
    )]
    pub(super) fn send(&mut self, frame: F) -> Result<(), MediaError> {
        end(&mut self.graph, IN)?.source().add(&frame).map_err(MediaError::libav(F::NAME))
    }

    pub(super) fn receive(&mut self) -> Result<Option<F>, MediaError> {
        let mut frame = F::empty();
        let mut out = end(&mut self.graph, OUT)?;
        let mut sink = out.sink();
        if !ready(F::NAME, sink.frame(&mut frame))? {
            return Ok(None);
        }
        // A deinterlacer halves the time base.
        let time_base = sink.time_base();
        let pts = frame.pts().map(|pts| self.clock.convert(pts, (time_base.0, time_base.1)));
        frame.set_pts(pts);
        Ok(Some(frame))
    }

    pub(super) fn finish(&mut self) -> Result<(), MediaError> {
        ready(F::NAME, end(&mut self.graph, IN)?.source().flush()).map(|_| ())
    }
}

impl VideoGraph {
    /// `sample` shows what the frames look like; their times are in `clock`, also those of the frames that come out.
    pub(super) fn new(spec: &str, sample: &frame::Video, clock: Clock, threads: u32) -> Result<Self, MediaError> {
        let inlets = [(IN, "buffer", looks(sample, clock))];
        Ok(Self::around(build(&inlets, "buffersink", spec, threads)?, clock))
    }
}

fn looks(sample: &frame::Video, clock: Clock) -> String {
    format!(
        "video_size={}x{}:pix_fmt={}:time_base=1/{}:pixel_aspect=1/1",
        sample.width(),
        sample.height(),
        ffi::pixel_name(sample),
        clock.timescale()
    )
}

/// Two runs of pictures, of which each of the one is held against that of the other at the same time.
pub(super) struct Comparison {
    graph: Graph,
    compared: u32,
    sum: f64,
}

impl Comparison {
    /// What was made is brought to the film's size first.
    pub(super) fn new(made: &frame::Video, film: &frame::Video, clock: Clock) -> Result<Self, MediaError> {
        let inlets = [(IN, "buffer", looks(made, clock)), (FILM, "buffer", looks(film, clock))];
        let (width, height) = (film.width(), film.height());
        let spec = format!("[{IN}]scale={width}:{height}:flags=bicubic,setsar=1[made];[made][{FILM}]ssim[{OUT}]");
        Ok(Self { graph: build(&inlets, "buffersink", &spec, 1)?, compared: 0, sum: 0.0 })
    }

    #[expect(clippy::needless_pass_by_value, reason = "libav moves the pictures' content out")]
    pub(super) fn send(&mut self, made: frame::Video, film: frame::Video) -> Result<(), MediaError> {
        let failed = MediaError::libav(frame::Video::NAME);
        end(&mut self.graph, FILM)?.source().add(&film).map_err(failed)?;
        end(&mut self.graph, IN)?.source().add(&made).map_err(MediaError::libav(frame::Video::NAME))?;
        self.drain()
    }

    /// How many pictures were compared, and the sum of what each was like (1: the same).
    pub(super) fn finish(&mut self) -> Result<(u32, f64), MediaError> {
        for inlet in [IN, FILM] {
            ready(frame::Video::NAME, end(&mut self.graph, inlet)?.source().flush())?;
        }
        self.drain()?;
        Ok((self.compared, self.sum))
    }

    fn drain(&mut self) -> Result<(), MediaError> {
        let mut compared = frame::Video::empty();
        while ready(frame::Video::NAME, end(&mut self.graph, OUT)?.sink().frame(&mut compared))? {
            let said = compared.metadata().get("lavfi.ssim.All").and_then(|said| said.parse::<f64>().ok());
            let likeness = said.filter(|likeness| likeness.is_finite());
            self.sum += likeness.ok_or_else(|| MediaError::broken("pictures cannot be compared"))?;
            self.compared += 1;
        }
        Ok(())
    }
}

impl AudioGraph {
    /// `layout` is libav's name of the frames' layout; their times are in `input`, those that come out in `output`.
    /// With `chunk`, frames of exactly so many samples come out, but for the last.
    pub(super) fn new(
        spec: &str,
        sample: &frame::Audio,
        layout: &str,
        input: Clock,
        output: Clock,
        chunk: Option<u32>,
    ) -> Result<Self, MediaError> {
        let arguments = format!(
            "time_base=1/{}:sample_rate={}:sample_fmt={}:channel_layout={layout}",
            input.timescale(),
            sample.rate(),
            sample.format().name()
        );
        let mut graph = build(&[(IN, "abuffer", arguments)], "abuffersink", spec, 1)?;
        if let Some(chunk) = chunk {
            end(&mut graph, OUT)?.sink().set_frame_size(chunk);
        }
        Ok(Self::around(graph, output))
    }
}

/// `inlets`: the name in `spec`, the filter and its arguments.
fn build(inlets: &[(&str, &str, String)], sink: &str, spec: &str, threads: u32) -> Result<Graph, MediaError> {
    let failed = "build the filters";
    let mut graph = Graph::new();
    ffi::limit_threads(&mut graph, threads);
    let find = |name| {
        filter::find(name).ok_or(MediaError::Libav { doing: failed, source: ffmpeg_next::Error::FilterNotFound })
    };
    for (name, filter, arguments) in inlets {
        graph.add(&find(filter)?, name, arguments).map_err(MediaError::libav(failed))?;
    }
    graph.add(&find(sink)?, OUT, "").map_err(MediaError::libav(failed))?;
    let mut parser = graph.input(OUT, 0).map_err(MediaError::libav(failed))?;
    for (name, ..) in inlets {
        parser = parser.output(name, 0).map_err(MediaError::libav(failed))?;
    }
    parser.parse(spec).map_err(MediaError::libav(failed))?;
    graph.validate().map_err(MediaError::libav(failed))?;
    Ok(graph)
}

fn end(graph: &mut Graph, name: &str) -> Result<filter::Context, MediaError> {
    graph.get(name).ok_or(MediaError::Libav { doing: "find a filter", source: ffmpeg_next::Error::FilterNotFound })
}
