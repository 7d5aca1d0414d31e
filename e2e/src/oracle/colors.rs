//! How the numbers of a picture become the colours that a viewer sees: the filters for ffmpeg's program.

use std::path::Path;

use serde_json::Value;

use super::{SIDE, ffprobe};

/// Tags of a track, with nothing unspecified.
#[derive(Debug, Clone, PartialEq)]
pub struct Colors {
    /// libswscale's name; nothing for RGB.
    matrix: Option<&'static str>,
    full_range: bool,
    /// Transfer by zimg's name, and the brightest light in nits, of high dynamic range.
    hdr: Option<(&'static str, f64)>,
}

impl Colors {
    /// Of a source, by what the probe has found in it. The brightest light is the stream's own word.
    #[must_use]
    pub fn of(path: &Path, video: &Value) -> Self {
        let transfer = match video["color_transfer"].as_str() {
            Some("smpte2084") => Some("smpte2084"),
            Some("arib-std-b67") => Some("arib-std-b67"),
            _ => None,
        };
        let size = (video["coded_width"].as_u64().unwrap_or(0), video["coded_height"].as_u64().unwrap_or(0));
        let rgb = ["gbr", "rgb", "bgr", "pal8"]
            .iter()
            .any(|name| video["pixel_format"].as_str().is_some_and(|format| format.contains(name)));
        Self {
            matrix: (!rgb).then(|| matrix(video["color_space"].as_str(), size)),
            full_range: video["full_range"] == true,
            hdr: transfer.map(|transfer| (transfer, brightest(path))),
        }
    }

    /// Of an output, by what ffprobe says of its track.
    #[must_use]
    pub fn tagged(video: &Value) -> Self {
        let size = (video["width"].as_u64().unwrap_or(0), video["height"].as_u64().unwrap_or(0));
        let full_range = video["color_range"] == "pc";
        Self { matrix: Some(matrix(video["color_space"].as_str(), size)), full_range, hdr: None }
    }

    /// From decoded pictures to grids of red, green and blue.
    pub(super) fn filters(&self) -> String {
        let Self { matrix, full_range, hdr } = self;
        if let Some((transfer, peak)) = hdr {
            // The product's own expression (worker, `media::tone`), on a small picture.
            return format!(
                "scale=320:-2:flags=bicubic,setparams=color_primaries=bt2020:color_trc={transfer}:colorspace=bt2020nc:range=tv,\
                 zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt709,\
                 tonemap=tonemap=mobius:param=0.45:desat=0:peak={peak:.3},zscale=t=bt709:m=bt709:r=tv,format=yuv420p,\
                 scale={SIDE}:{SIDE}:flags=area+full_chroma_int+accurate_rnd:in_color_matrix=bt709:in_range=tv,format=rgb24"
            );
        }
        let range = if *full_range { "pc" } else { "tv" };
        if *matrix == Some("bt2020") {
            // A wide gamut alone is narrowed without a curve.
            return format!(
                "scale=320:-2:flags=bicubic,setparams=color_primaries=bt2020:color_trc=bt709:colorspace=bt2020nc:range={range},\
                 zscale=t=bt709:p=bt709:m=bt709:r=tv,format=yuv420p,\
                 scale={SIDE}:{SIDE}:flags=area+full_chroma_int+accurate_rnd:in_color_matrix=bt709:in_range=tv,format=rgb24"
            );
        }
        let from = matrix.map(|matrix| format!(":in_color_matrix={matrix}:in_range={range}")).unwrap_or_default();
        // In two steps: in one from 1920 to 8, libswscale's rounding makes saturated green 15 of 255 brighter.
        format!(
            "scale=160:90:flags=area,scale={SIDE}:{SIDE}:flags=area+full_chroma_int+accurate_rnd{from},format=rgb24"
        )
    }
}

/// What is not said is guessed as players do: by size.
fn matrix(tag: Option<&str>, (width, height): (u64, u64)) -> &'static str {
    match tag {
        Some("bt709") => "bt709",
        Some("smpte170m" | "bt470bg") => "smpte170m",
        Some("smpte240m") => "smpte240m",
        Some("fcc") => "fcc",
        Some("bt2020nc" | "bt2020c") => "bt2020",
        _ if width >= 1280 || height > 576 => "bt709",
        _ => "smpte170m",
    }
}

/// In units of diffuse white: of the content, else of the display it was graded on, else the usual one.
fn brightest(path: &Path) -> f64 {
    let look = ["-select_streams", "v:0", "-read_intervals", "%+#1", "-show_frames"];
    let frames = ffprobe(path, &look).unwrap_or_default();
    let said = frames["frames"][0]["side_data_list"].as_array().cloned().unwrap_or_default();
    let content = said.iter().find_map(|side| side["max_content"].as_f64()).filter(|nits| *nits > 0.0);
    let display = said.iter().find_map(|side| side["max_luminance"].as_str()).and_then(|fraction| {
        let (num, den) = fraction.split_once('/')?;
        Some(num.parse::<f64>().ok()? / den.parse::<f64>().ok()?)
    });
    content.or(display).unwrap_or(1_000.0).clamp(1.2 * 203.0, 10_000.0) / 203.0
}
