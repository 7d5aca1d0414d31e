//! What the images of a file are, for the document.

use serde_json::json;

use super::storyboard::Tiles;
use crate::endpoint::{Endpoint, Tag};

const JPEG: &[&str] = &["image/jpeg"];

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let of = |path, id| Endpoint::get(path, id, Tag::Images).played().of_file();
    let poster = of("/v1/files/{file_id}/poster", "getPoster")
        .says("Poster of a film", "One still, as wide as the largest rendition.")
        .shows("The picture.", JPEG);
    let preview = of("/v1/files/{file_id}/preview", "getPreview")
        .says("Moving preview of a film", "A few seconds without sound, to be shown while somebody points at it.")
        .shows("An animated picture.", &["image/webp"]);
    let waveform = of("/v1/files/{file_id}/waveform.json", "getWaveform")
        .says(
            "Waveform of the sound",
            "Lowest and highest sample of equal stretches, as BBC's audiowaveform has it (version 2, 8 bits).",
        )
        .shows("The peaks.", &[])
        .told::<Waveform>(&waveform_example());
    let cues = of("/v1/files/{file_id}/storyboard.vtt", "getStoryboardCues")
        .says(
            "Storyboard as WebVTT",
            "Each cue names a tile of a sheet, as `#xywh=`. A `token` is handed on to the sheets' addresses.",
        )
        .shows("The cues.", &["text/vtt"]);
    let tiles = of("/v1/files/{file_id}/storyboard.json", "getStoryboard")
        .says("Storyboard as JSON", "The same as the cues. A `token` is handed on to the sheets' addresses.")
        .shows("The tiles.", &[])
        .told::<Tiles>(&tiles_example());
    let number = json!({ "type": "integer", "minimum": 1, "maximum": u32::MAX });
    let sheet = of("/v1/files/{file_id}/storyboard-{sheet}.jpg", "getStoryboardSheet")
        .says("Sheet of a storyboard", "Many small pictures in rows; cues and JSON say which is where.")
        .path("sheet", number, "Its number, from one.", json!(1))
        .shows("The picture.", JPEG)
        .fails(&["not_found"]);
    vec![poster, preview, waveform, cues, tiles, sheet]
}

/// As a worker has measured it.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "read by the derived schema alone")]
struct Waveform {
    version: u8,
    channels: u8,
    /// Samples per second.
    sample_rate: u32,
    samples_per_pixel: u32,
    bits: u8,
    /// Stretches.
    length: u32,
    /// Of each stretch the lowest and the highest sample.
    data: Vec<i8>,
}

fn waveform_example() -> serde_json::Value {
    json!({
        "version": 2, "channels": 1, "sample_rate": 48_000, "samples_per_pixel": 19_200, "bits": 8, "length": 2,
        "data": [-12, 14, -80, 77],
    })
}

fn tiles_example() -> serde_json::Value {
    json!({
        "sheets": [format!("storyboard-1.jpg?token={}", "v1.k1.eyJqIjoi")],
        "interval_ms": 2_000,
        "tile_width": 160,
        "tile_height": 90,
        "tiles": [{ "start_ms": 0, "sheet": 0, "x": 0, "y": 0 }],
    })
}
