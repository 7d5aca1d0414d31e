//! What libav does for us: opening, probing, decoding, filtering, encoding and muxing, each as a stage with the same verbs
//! (`send`, `receive -> Result<Option<_>>`, `finish`). Runs only inside a task's child process, on sources that may be
//! hostile. All `unsafe` is in `ffi`; knows nothing of jobs, storage or the network.

mod assembly;
mod cadence;
mod captions;
mod cascade;
mod chunk;
mod clock;
mod codec;
mod color;
mod copy;
mod decode;
mod encode;
mod error;
mod excerpts;
mod extras;
mod ffi;
mod film;
mod filter;
mod image;
mod input;
mod lent;
mod likeness;
mod limits;
mod look;
mod loudness;
mod making;
mod marks;
mod mend;
mod mixdown;
mod mux;
mod picture;
mod poster;
mod preview;
mod probe;
mod proven;
mod remux;
mod report;
mod rung;
mod sample;
mod shortfall;
mod sound;
mod sound_file;
mod sounds;
mod soundtrack;
mod splice;
mod steady;
mod stills;
mod storyboard;
mod threads;
mod tone;
mod transcode;
mod verify;
mod waveform;
mod window;

pub use assembly::assemble;
pub use chunk::chunk;
pub use codec::can_encode;
pub use error::MediaError;
pub use input::Source;
pub use likeness::Likeness;
pub use look::look;
pub use probe::probe;
pub use remux::remux;
pub use report::Report;
pub use sample::sample;
pub use stills::stills;
pub use transcode::transcode;
pub use verify::verify;

/// Prepares libav: warnings go to standard error, where the parent keeps the last words.
pub fn init() -> Result<(), MediaError> {
    ffmpeg_next::init().map_err(|source| MediaError::Libav { doing: "initialise", source })?;
    ffmpeg_next::util::log::set_level(ffmpeg_next::util::log::Level::Warning);
    Ok(())
}
