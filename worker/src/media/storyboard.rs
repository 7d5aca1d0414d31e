//! The storyboard: what is seen at equal intervals, as small tiles on JPEG sheets.

use ffmpeg_next::{format::Pixel, frame};
use reelgate_common::still::StillFormat;

use super::{
    clock::Clock,
    error::MediaError,
    ffi,
    image::{self, Shrink},
};
use crate::{plan::extras::StoryboardLayout, task::protocol::Output};

pub(super) struct Storyboard {
    layout: StoryboardLayout,
    clock: Clock,
    shrink: Shrink,
    /// Tiles laid so far, on all sheets.
    laid: u32,
    sheet: Option<frame::Video>,
    /// What was shown last: it may be what is seen at the next mark.
    last: Option<frame::Video>,
    made: Vec<Output>,
}

impl Storyboard {
    pub(super) fn new(layout: StoryboardLayout, clock: Clock) -> Self {
        let shrink = Shrink::new((layout.tile_width, layout.tile_height), StillFormat::Jpeg);
        Self { layout, clock, shrink, laid: 0, sheet: None, last: None, made: Vec::new() }
    }

    pub(super) fn is_settled(&self) -> bool {
        self.laid >= self.layout.tiles
    }

    pub(super) fn look(&mut self, picture: &frame::Video, time_ms: u64) -> Result<(), MediaError> {
        if self.is_settled() {
            return Ok(());
        }
        // Marks before this picture show the one before; nothing came before the first.
        while !self.is_settled() && self.mark() < time_ms {
            let shown = self.last.take();
            self.lay(shown.as_ref().unwrap_or(picture))?;
            self.last = shown;
        }
        self.last = Some(ffi::share(picture).map_err(MediaError::libav("share a picture"))?);
        Ok(())
    }

    /// The sheets. A film that ended early has fewer tiles than planned.
    pub(super) fn finish(mut self) -> Result<Vec<Output>, MediaError> {
        let last = self.last.take().ok_or_else(|| MediaError::broken("no picture could be decoded"))?;
        // The picture after which nothing came is seen at the mark that it reached, and at the last one of a film as long as
        // it said.
        let at = last.pts().map_or(0, |pts| u64::try_from(self.clock.to_millis(pts)).unwrap_or(0));
        while !self.is_settled() && self.mark() <= at.saturating_add(self.layout.interval_ms) {
            self.lay(&last)?;
        }
        self.close()?;
        Ok(self.made)
    }

    /// When the next tile is seen.
    fn mark(&self) -> u64 {
        u64::from(self.laid) * self.layout.interval_ms
    }

    fn lay(&mut self, picture: &frame::Video) -> Result<(), MediaError> {
        let tile = self.shrink.small(picture, self.clock)?;
        let number = self.laid % self.layout.per_sheet();
        let (width, height) = self.layout.sheet_size(self.layout.tiles - (self.laid - number));
        let sheet = self.sheet.get_or_insert_with(|| blank(width, height));
        let (column, row) = (number % self.layout.columns, number / self.layout.columns);
        copy(&tile, sheet, column * self.layout.tile_width, row * self.layout.tile_height);
        self.laid += 1;
        if self.laid.is_multiple_of(self.layout.per_sheet()) {
            self.close()?;
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), MediaError> {
        let Some(sheet) = self.sheet.take() else { return Ok(()) };
        let number = self.laid.div_ceil(self.layout.per_sheet());
        let tiles = self.laid - (number - 1) * self.layout.per_sheet();
        let name = StoryboardLayout::name(number);
        let file = format!("{name}.jpg");
        std::fs::write(&file, image::encode(&sheet, StillFormat::Jpeg)?)
            .map_err(MediaError::io("write a storyboard"))?;
        let (width, height) = (Some(sheet.width()), Some(sheet.height()));
        // How long it covers says how many tiles there are.
        let duration_ms = Some(u64::from(tiles) * self.layout.interval_ms);
        self.made.push(Output { name, file, width, height, duration_ms, ..Output::default() });
        Ok(())
    }
}

fn blank(width: u32, height: u32) -> frame::Video {
    let mut sheet = frame::Video::new(Pixel::YUVJ420P, width, height);
    sheet.data_mut(0).fill(0);
    sheet.data_mut(1).fill(128);
    sheet.data_mut(2).fill(128);
    sheet
}

/// Sizes and places are even, so that the halved planes fit.
fn copy(tile: &frame::Video, sheet: &mut frame::Video, x: u32, y: u32) {
    for plane in 0..3 {
        let half = |length: u32| if plane == 0 { length as usize } else { length as usize / 2 };
        let (from, to) = (tile.stride(plane).max(1), sheet.stride(plane).max(1));
        let (x, y, width, height) = (half(x), half(y), half(tile.width()), half(tile.height()));
        let rows = sheet.data_mut(plane).chunks_mut(to).skip(y).take(height);
        for (row, pixels) in rows.zip(tile.data(plane).chunks(from)) {
            if let (Some(row), Some(pixels)) = (row.get_mut(x..x + width), pixels.get(..width)) {
                row.copy_from_slice(pixels);
            }
        }
    }
}
