//! The task's process over real libav: every request runs as the worker runs it, over clips that ffmpeg's program makes and
//! over the corpus of `REELGATE_CORPUS`, and the outputs are measured with ffmpeg's program.

mod child;
mod codecs;
mod compare;
mod corpus;
mod early;
mod faithful;
mod hostile;
mod light;
mod measure;
mod mix;
mod orientation;
mod quality;
mod remux;
mod sandbox;
mod sound_copies;
mod timing;

pub(crate) use measure::clip;
