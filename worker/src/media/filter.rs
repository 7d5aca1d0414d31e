//! libav's filter graphs as stages. Graph and filters live and die together here, for libav's contexts dangle otherwise.

use ffmpeg_next::{
    filter::{self, Graph},
    frame,
};

use super::{
    clock::Clock,
    error::{MediaError, ready},
    ffi,
};

const IN: &str = "in";
const OUT: &str = "out";

/// Frames in, as many frames out, times kept.
pub(super) struct VideoGraph {
    graph: Graph,
    clock: Clock,
}

/// Sound in, sound out.
pub(super) struct AudioGraph {
    graph: Graph,
    clock: Clock,
}

impl VideoGraph {
    /// `sample` shows what the frames look like; their times are in `clock`.
    pub(super) fn new(spec: &str, sample: &frame::Video, clock: Clock, threads: u32) -> Result<Self, MediaError> {
        let arguments = format!(
            "video_size={}x{}:pix_fmt={}:time_base=1/{}:pixel_aspect=1/1",
            sample.width(),
            sample.height(),
            ffi::pixel_name(sample),
            clock.timescale()
        );
        Ok(Self { graph: build("buffer", "buffersink", &arguments, spec, threads)?, clock })
    }

    pub(super) fn send(&mut self, frame: &frame::Video) -> Result<(), MediaError> {
        end(&mut self.graph, IN)?.source().add(frame).map_err(MediaError::libav("filter video"))
    }

    pub(super) fn receive(&mut self) -> Result<Option<frame::Video>, MediaError> {
        let mut frame = frame::Video::empty();
        let mut out = end(&mut self.graph, OUT)?;
        let mut sink = out.sink();
        if !ready("filter video", sink.frame(&mut frame))? {
            return Ok(None);
        }
        // A deinterlacer halves the time base.
        let time_base = sink.time_base();
        let pts = frame.pts().map(|pts| self.clock.convert(pts, (time_base.0, time_base.1)));
        frame.set_pts(pts);
        Ok(Some(frame))
    }

    pub(super) fn finish(&mut self) -> Result<(), MediaError> {
        ready("end the video filters", end(&mut self.graph, IN)?.source().flush()).map(|_| ())
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
        let mut graph = build("abuffer", "abuffersink", &arguments, spec, 1)?;
        if let Some(chunk) = chunk {
            end(&mut graph, OUT)?.sink().set_frame_size(chunk);
        }
        Ok(Self { graph, clock: output })
    }

    pub(super) fn send(&mut self, frame: &frame::Audio) -> Result<(), MediaError> {
        end(&mut self.graph, IN)?.source().add(frame).map_err(MediaError::libav("filter audio"))
    }

    pub(super) fn receive(&mut self) -> Result<Option<frame::Audio>, MediaError> {
        let mut frame = frame::Audio::empty();
        let mut out = end(&mut self.graph, OUT)?;
        let mut sink = out.sink();
        if !ready("filter audio", sink.frame(&mut frame))? {
            return Ok(None);
        }
        let time_base = sink.time_base();
        let pts = frame.pts().map(|pts| self.clock.convert(pts, (time_base.0, time_base.1)));
        frame.set_pts(pts);
        Ok(Some(frame))
    }

    pub(super) fn finish(&mut self) -> Result<(), MediaError> {
        ready("end the audio filters", end(&mut self.graph, IN)?.source().flush()).map(|_| ())
    }
}

fn build(source: &str, sink: &str, arguments: &str, spec: &str, threads: u32) -> Result<Graph, MediaError> {
    let failed = "build the filters";
    let mut graph = Graph::new();
    ffi::limit_threads(&mut graph, threads);
    let find = |name| {
        filter::find(name).ok_or(MediaError::Libav { doing: failed, source: ffmpeg_next::Error::FilterNotFound })
    };
    graph.add(&find(source)?, IN, arguments).map_err(MediaError::libav(failed))?;
    graph.add(&find(sink)?, OUT, "").map_err(MediaError::libav(failed))?;
    let parser = graph.output(IN, 0).and_then(|parser| parser.input(OUT, 0)).map_err(MediaError::libav(failed))?;
    parser.parse(spec).map_err(MediaError::libav(failed))?;
    graph.validate().map_err(MediaError::libav(failed))?;
    Ok(graph)
}

fn end(graph: &mut Graph, name: &str) -> Result<filter::Context, MediaError> {
    graph.get(name).ok_or(MediaError::Libav { doing: "find a filter", source: ffmpeg_next::Error::FilterNotFound })
}
