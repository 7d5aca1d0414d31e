//! Reading a file the way a caller with range access does.

use std::{fs, path::Path};

use reelgate_packager::{FourCc, Mp4Error, TopBox, TopWalk};

pub(crate) struct Loaded {
    pub(crate) bytes: Vec<u8>,
    pub(crate) boxes: Vec<TopBox>,
}

impl Loaded {
    pub(crate) fn open(path: &Path) -> Result<Self, Mp4Error> {
        let bytes = fs::read(path).unwrap();
        let mut walk = TopWalk::new(bytes.len() as u64);
        while let Some(offset) = walk.wanted() {
            let from = offset as usize;
            walk.feed(&bytes[from..(from + 16).min(bytes.len())])?;
        }
        Ok(Self { bytes, boxes: walk.into_boxes() })
    }

    /// The first box of this kind, whole; empty when there is none.
    pub(crate) fn whole(&self, kind: &[u8; 4]) -> &[u8] {
        let found = self.boxes.iter().find(|top| top.kind == FourCc(*kind));
        found.map_or(&[], |top| &self.bytes[top.offset as usize..top.end() as usize])
    }
}
