//! An output beside its source: the same pictures at the same times in the same colours, the right way up, and the same sound
//! beside them.

use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use super::{Grid, Offset, SIDE, Seen, stream};

/// Seconds that a picture may be away from its time, counted from the first.
const OUT_OF_PLACE: f64 = 0.02;
/// Milliseconds that sound may be away from the pictures.
const OUT_OF_SYNC: i64 = 20;
/// Of 255, on average over a quarter of the picture: what encoding may change, and what scaling before a tone map does.
const TOLERANCE: f64 = 8.0;
const TOLERANCE_HDR: f64 = 10.0;

/// How much of the comparison makes sense for a source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Leave {
    /// The program counts or times other pictures than those that are there.
    pub times: bool,
    pub colors: bool,
    pub sound: bool,
}

/// What is wrong with the pictures and sound of an output. `media` is the product's word about the source.
#[must_use]
pub fn complaints(source: &Seen, output: &Seen, media: &Value, leave: Leave) -> Vec<String> {
    let mut found = Vec::new();
    if !source.grids.is_empty() {
        if !leave.times {
            found.extend(times(source, output));
        }
        if !leave.colors {
            let hdr = media["video"]["hdr"].is_string();
            found.extend(colors(source, output, if hdr { TOLERANCE_HDR } else { TOLERANCE }));
        }
    }
    if !leave.sound {
        found.extend(sound(source, output));
    }
    found
}

fn times(source: &Seen, output: &Seen) -> Option<String> {
    let (before, after) = (source.seconds.len(), output.seconds.len());
    if before != after {
        return Some(format!("{after} pictures of {before}"));
    }
    let shift = output.begin() - source.begin();
    let mut pairs = source.seconds.iter().zip(&output.seconds).enumerate();
    let (number, (before, after)) =
        pairs.find(|(_, (before, after))| (*before + shift - *after).abs() > OUT_OF_PLACE)?;
    Some(format!("picture {number}, shown at {before} s of the source, is shown at {after} s"))
}

/// The first picture, the one in the middle and the last.
fn colors(source: &Seen, output: &Seen, tolerance: f64) -> Vec<String> {
    let (before, after) = (&source.grids, &output.grids);
    if after.is_empty() {
        return vec!["no picture decodes".to_owned()];
    }
    let last = (before.len() - 1, after.len() - 1);
    let chosen = [("first", (0, 0)), ("middle", (last.0 / 2, last.1 / 2)), ("last", last)];
    let apart = chosen.iter().filter_map(|(word, (one, two))| {
        let apart = quarters_apart(&before[*one], &after[*two]);
        (apart > tolerance).then(|| format!("a quarter of the {word} picture is {apart:.1} apart"))
    });
    apart.collect()
}

/// Mean colour of each quarter: top left, top right, bottom left, bottom right.
#[must_use]
pub fn quarters(grid: &Grid) -> [[f64; 3]; 4] {
    let mut sums = [[0.0; 3]; 4];
    for (square, color) in grid.chunks_exact(3).enumerate() {
        let (row, column) = (square / SIDE, square % SIDE);
        let quarter = 2 * usize::from(row >= SIDE / 2) + usize::from(column >= SIDE / 2);
        for (sum, value) in sums[quarter].iter_mut().zip(color) {
            *sum += f64::from(*value) * 4.0 / (SIDE * SIDE) as f64;
        }
    }
    sums
}

/// The largest difference of a mean colour of a quarter.
fn quarters_apart(one: &Grid, other: &Grid) -> f64 {
    let (one, other) = (quarters(one), quarters(other));
    let pairs = one.iter().flatten().zip(other.iter().flatten());
    pairs.map(|(one, other)| (one - other).abs()).fold(0.0, f64::max)
}

fn sound(source: &Seen, output: &Seen) -> Vec<String> {
    let Some(before) = &source.sound else { return Vec::new() };
    let Some(after) = &output.sound else { return vec!["the sound is missing".to_owned()] };
    let places = offsets(source, output, before, after);
    let wrong = places.iter().filter_map(|(word, offset)| match offset {
        Offset::Milliseconds(late) if late.abs() >= OUT_OF_SYNC => {
            Some(format!("sound at the {word} is {late} ms late"))
        }
        Offset::AnotherSound => Some(format!("another sound at the {word}")),
        _ => None,
    });
    wrong.collect()
}

fn offsets(source: &Seen, output: &Seen, before: &super::Heard, after: &super::Heard) -> [(&'static str, Offset); 3] {
    let end = before.start + before.seconds();
    let places = [
        ("start", before.start),
        ("middle", before.start + before.seconds() / 2.0),
        ("end", (end - 2.5).max(before.start)),
    ];
    // Without pictures nothing says where its zero lies but the sound itself.
    let zeros = if output.grids.is_empty() { (before.start, after.start) } else { (source.begin(), output.begin()) };
    places.map(|(word, at)| (word, before.offset(zeros.0, after, zeros.1, at)))
}

/// Whether anything in the sound of a source marks a time.
#[must_use]
pub fn sound_tells(source: &Seen) -> bool {
    let Some(sound) = &source.sound else { return false };
    let all = offsets(source, source, sound, sound);
    all.iter().all(|(_, offset)| *offset != Offset::CannotTell)
}

/// What is wrong with how an encoded picture is to be shown.
///
/// # Errors
/// ffprobe cannot read it.
pub fn tags(output: &Path, media: &Value) -> Result<Vec<String>> {
    let Some(shown) = stream(output, "v:0")? else { return Ok(vec!["no picture".to_owned()]) };
    let mut found = Vec::new();
    let mut expect = |what: &str, right: bool| {
        if !right {
            found.push(format!("{what}: {}", shown[what]));
        }
    };
    let video = &media["video"];
    let untouched = !video["copyable"].as_bool().unwrap_or(false);
    expect("side_data_list", shown["side_data_list"].is_null());
    expect("sample_aspect_ratio", matches!(shown["sample_aspect_ratio"].as_str(), None | Some("1:1")));
    expect("field_order", matches!(shown["field_order"].as_str(), None | Some("progressive")));
    let (width, height) = (shown["width"].as_f64().unwrap_or(1.0), shown["height"].as_f64().unwrap_or(1.0));
    let (shown_width, shown_height) = (video["width"].as_f64().unwrap_or(1.0), video["height"].as_f64().unwrap_or(1.0));
    // Sides are even, so each may be a pixel off.
    let off = (width - height * shown_width / shown_height).abs();
    expect("width", off <= 2.0 * (shown_width / shown_height).max(1.0) + 1.0);
    let wide =
        !video["hdr"].is_null() || video["color_space"].as_str().is_some_and(|space| space.starts_with("bt2020"));
    for tag in ["color_primaries", "color_transfer", "color_space"] {
        let before = video[tag].as_str();
        let found = shown[tag].as_str();
        // The one matrix has two numbers.
        let same = |one: &str, two: &str| one.replace("bt470bg", "smpte170m") == two.replace("bt470bg", "smpte170m");
        let kept = before.zip(found).is_some_and(|(one, two)| same(one, two));
        expect(tag, if wide { found == Some("bt709") } else { before.is_none() || kept || found == Some("bt709") });
        expect(tag, !untouched || found.is_some());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(step: f64, color: u8) -> Seen {
        let seconds: Vec<f64> = (0..10).map(|number| f64::from(number) * step).collect();
        Seen { grids: vec![[color; 3 * SIDE * SIDE]; 10], seconds, ..Seen::default() }
    }

    #[test]
    fn a_drift_a_lost_picture_and_another_colour_are_noticed() {
        let media = Value::Null;
        let all = |other: &Seen| complaints(&seen(0.04, 100), other, &media, Leave::default());
        assert!(all(&seen(0.04, 103)).is_empty());
        assert_eq!(all(&seen(0.043, 100)).len(), 1);
        assert_eq!(all(&seen(0.04, 120)).len(), 3);
        let mut short = seen(0.04, 100);
        short.seconds.pop();
        assert_eq!(all(&short), ["9 pictures of 10"]);
    }

    #[test]
    fn quarters_are_counted_from_the_top_left() {
        let mut grid = [0; 3 * SIDE * SIDE];
        for (square, color) in grid.chunks_exact_mut(3).enumerate() {
            color[0] = if square % SIDE >= SIDE / 2 && square / SIDE < SIDE / 2 { 200 } else { 0 };
        }
        let reds = quarters(&grid).map(|quarter| quarter[0].round());
        assert_eq!(reds, [0.0, 200.0, 0.0, 0.0]);
    }
}
