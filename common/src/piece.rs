//! What the objects of films that are encoded in parts are called, until they are put together.

const PIECE: &str = "piece-";

/// The object of one rung of one part: its name.
#[must_use]
pub fn piece_name(part: u32, rung: &str) -> String {
    format!("{PIECE}{part}-{rung}.mp4")
}

/// The object of the sound of all rungs: its name.
pub const SOUND_PIECE: &str = "piece-sound.m4a";

/// The object that is cut in place of a source without an index: its name.
pub const BRIDGE_PIECE: &str = "piece-bridge.mp4";

/// Whether an output is a piece, which lives only as long as its film's job.
#[must_use]
pub fn is_piece_name(name: &str) -> bool {
    name.starts_with(PIECE)
}
