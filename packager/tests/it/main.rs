//! The packager against real files: the corpus of `$REELGATE_CORPUS`, and clips that the ffmpeg program makes.
// The lints' exception for tests covers test functions only; this whole crate is one.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod clips;
mod corpus;
mod file;
mod hostile;
mod hostile_packaging;
mod packaging;
mod packed;
mod picture;
mod small;
