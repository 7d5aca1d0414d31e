//! Still images out of pictures: shrunk, brought into the colours of the format, encoded. Formats differ in what they know of
//! colours: JPEG and WebP have BT.601's matrix alone, PNG has none.

use ffmpeg_next::{Dictionary, Packet, codec, encoder, format::Pixel, frame};
use reelgate_common::still::StillFormat;

use super::{clock::Clock, color, error::MediaError, ffi, filter::VideoGraph};

const FAILED: &str = "make an image";

/// Shrinks pictures of one look; built by the first of them.
pub(super) struct Shrink {
    width: u32,
    height: u32,
    format: StillFormat,
    graph: Option<VideoGraph>,
}

impl Shrink {
    pub(super) fn new((width, height): (u32, u32), format: StillFormat) -> Self {
        Self { width, height, format, graph: None }
    }

    pub(super) fn small(&mut self, picture: &frame::Video, clock: Clock) -> Result<frame::Video, MediaError> {
        let graph = match &mut self.graph {
            Some(graph) => graph,
            None => self.graph.insert(VideoGraph::new(&self.filters(picture), picture, clock, 1)?),
        };
        graph.send(ffi::share(picture).map_err(MediaError::libav("share a picture"))?)?;
        graph.receive()?.ok_or_else(|| MediaError::broken("an image was lost"))
    }

    fn filters(&self, picture: &frame::Video) -> String {
        let matrix = color::scaler_matrix(ffi::color_tags(picture).matrix);
        let (out, pixels) = match self.format {
            StillFormat::Jpeg => (":out_color_matrix=smpte170m:out_range=pc", "yuvj420p"),
            StillFormat::Webp => (":out_color_matrix=smpte170m:out_range=tv", "yuv420p"),
            StillFormat::Png => ("", "rgb24"),
        };
        let (width, height) = (self.width, self.height);
        format!("scale={width}:{height}:flags=bicubic:in_color_matrix={matrix}:in_range=tv{out},format={pixels}")
    }
}

/// One picture, shrunk to the format before.
pub(super) fn encode(picture: &frame::Video, format: StillFormat) -> Result<Vec<u8>, MediaError> {
    let (name, pixels, options): (_, _, &[(&str, &str)]) = match format {
        StillFormat::Jpeg => ("mjpeg", Pixel::YUVJ420P, &[("qmin", "3"), ("qmax", "3")]),
        StillFormat::Png => ("png", Pixel::RGB24, &[]),
        StillFormat::Webp => ("libwebp", Pixel::YUV420P, &[("quality", "80")]),
    };
    one(picture_encoder(name, pixels, picture, options)?, std::iter::once(picture))
}

/// Pictures one after another, each shown for `each_ms`, for ever. All are of one size, shrunk to WebP before.
pub(super) fn animate(pictures: &mut [frame::Video], each_ms: u32) -> Result<Vec<u8>, MediaError> {
    let Some(first) = pictures.first() else { return Err(MediaError::broken("no picture could be decoded")) };
    let options = [("quality", "60"), ("compression_level", "3")];
    let encoder = picture_encoder("libwebp_anim", Pixel::YUV420P, first, &options)?;
    for (index, picture) in pictures.iter_mut().enumerate() {
        picture.set_pts(Some(index as i64 * i64::from(each_ms)));
    }
    one(encoder, pictures.iter())
}

fn picture_encoder(
    name: &str,
    pixels: Pixel,
    sample: &frame::Video,
    options: &[(&str, &str)],
) -> Result<encoder::video::Encoder, MediaError> {
    let found = encoder::find_by_name(name).ok_or_else(|| MediaError::UnsupportedCodec { codec: name.to_owned() })?;
    let mut video = codec::Context::new_with_codec(found).encoder().video().map_err(MediaError::libav(FAILED))?;
    video.set_width(sample.width());
    video.set_height(sample.height());
    video.set_format(pixels);
    video.set_time_base((1, 1_000));
    let options: Dictionary<'_> = options.iter().copied().collect();
    video.open_with(options).map_err(MediaError::libav(FAILED))
}

/// Encoders of images give one packet, which is the file.
fn one<'a>(
    mut encoder: encoder::video::Encoder,
    pictures: impl Iterator<Item = &'a frame::Video>,
) -> Result<Vec<u8>, MediaError> {
    for picture in pictures {
        encoder.send_frame(picture).map_err(MediaError::libav(FAILED))?;
    }
    encoder.send_eof().map_err(MediaError::libav(FAILED))?;
    let mut packet = Packet::empty();
    encoder.receive_packet(&mut packet).map_err(MediaError::libav(FAILED))?;
    packet.data().map(<[u8]>::to_vec).ok_or_else(|| MediaError::broken("an image is empty"))
}
