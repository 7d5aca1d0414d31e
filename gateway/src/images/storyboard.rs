//! What names the tiles of a storyboard: WebVTT cues for players, JSON for everybody else. Addresses are relative to the
//! document; a token that came with the question is handed on, for players add none. Pure.

use std::fmt::Write;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reelgate_common::rendition::Sheet;
use serde::Serialize;
use utoipa::ToSchema;

/// Media fragments (W3C) name the tile.
pub(super) fn vtt(sheets: &[(String, Sheet)], token: Option<&str>) -> String {
    let mut text = "WEBVTT\n".to_owned();
    for (name, sheet) in sheets {
        let address = address(name, token);
        for tile in tiles(sheet) {
            let (start, end) = (time(tile.start_ms), time(tile.start_ms + sheet.interval_ms));
            let Sheet { tile_width, tile_height, .. } = sheet;
            let Tile { x, y, .. } = tile;
            let _ = write!(text, "\n{start} --> {end}\n{address}#xywh={x},{y},{tile_width},{tile_height}\n");
        }
    }
    text
}

pub(super) fn json(sheets: &[(String, Sheet)], token: Option<&str>) -> String {
    let first = sheets.first().map(|(_, sheet)| sheet);
    let all = sheets.iter().enumerate();
    let tiles = Tiles {
        sheets: sheets.iter().map(|(name, _)| address(name, token)).collect(),
        interval_ms: first.map(|sheet| sheet.interval_ms),
        tile_width: first.map(|sheet| sheet.tile_width),
        tile_height: first.map(|sheet| sheet.tile_height),
        tiles: all
            .flat_map(|(number, (_, sheet))| tiles(sheet).map(move |tile| Tile { sheet: number, ..tile }))
            .collect(),
    };
    serde_json::to_string(&tiles).expect("made of texts and numbers")
}

/// Which tile of which sheet shows which moment.
#[derive(Serialize, ToSchema)]
#[schema(as = Storyboard)]
pub(super) struct Tiles {
    /// Addresses of the sheets, relative to this document.
    sheets: Vec<String>,
    /// From one tile to the next.
    interval_ms: Option<u64>,
    /// Pixels.
    tile_width: Option<u32>,
    tile_height: Option<u32>,
    tiles: Vec<Tile>,
}

/// A small picture on a sheet.
#[derive(Serialize, ToSchema)]
#[schema(as = StoryboardTile)]
struct Tile {
    start_ms: u64,
    /// Index into `sheets`.
    sheet: usize,
    x: u32,
    y: u32,
}

/// Those of the first sheet.
fn tiles(sheet: &Sheet) -> impl Iterator<Item = Tile> {
    let Sheet { first_ms, interval_ms, columns, tiles, tile_width, tile_height } = *sheet;
    (0..tiles).map(move |number| Tile {
        sheet: 0,
        start_ms: first_ms + u64::from(number) * interval_ms,
        x: number % columns.max(1) * tile_width,
        y: number / columns.max(1) * tile_height,
    })
}

fn address(name: &str, token: Option<&str>) -> String {
    match token {
        Some(token) => format!("{name}?token={}", utf8_percent_encode(token, NON_ALPHANUMERIC)),
        None => name.to_owned(),
    }
}

fn time(ms: u64) -> String {
    let (seconds, rest) = (ms / 1_000, ms % 1_000);
    format!("{:02}:{:02}:{:02}.{rest:03}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn sheets() -> Vec<(String, Sheet)> {
        let sheet = |first_ms, tiles| Sheet {
            first_ms,
            interval_ms: 10_000,
            columns: 2,
            tiles,
            tile_width: 160,
            tile_height: 90,
        };
        vec![("storyboard-1.jpg".to_owned(), sheet(0, 3)), ("storyboard-2.jpg".to_owned(), sheet(30_000, 1))]
    }

    #[test]
    fn cues_name_tiles_by_their_place() {
        assert_eq!(
            vtt(&sheets(), None),
            "WEBVTT\n\n00:00:00.000 --> 00:00:10.000\nstoryboard-1.jpg#xywh=0,0,160,90\n\
             \n00:00:10.000 --> 00:00:20.000\nstoryboard-1.jpg#xywh=160,0,160,90\n\
             \n00:00:20.000 --> 00:00:30.000\nstoryboard-1.jpg#xywh=0,90,160,90\n\
             \n00:00:30.000 --> 00:00:40.000\nstoryboard-2.jpg#xywh=0,0,160,90\n"
        );
    }

    #[test]
    fn a_token_is_handed_on_and_cannot_leave_its_place() {
        let text = vtt(&sheets(), Some("a.b-c\n --> &#"));
        assert!(text.contains("storyboard-1.jpg?token=a%2Eb%2Dc%0A%20%2D%2D%3E%20%26%23#xywh=0,0,160,90"), "{text}");
    }

    #[test]
    fn json_says_the_same() {
        let value: Value = serde_json::from_str(&json(&sheets(), Some("t"))).unwrap();
        assert_eq!(value["sheets"], json!(["storyboard-1.jpg?token=t", "storyboard-2.jpg?token=t"]));
        assert_eq!((&value["interval_ms"], &value["tile_width"]), (&json!(10_000), &json!(160)));
        assert_eq!(value["tiles"][3], json!({"start_ms": 30_000, "sheet": 1, "x": 0, "y": 0}));
    }
}
