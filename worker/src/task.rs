//! A task: the child process that does one piece of libav work. `protocol` is what both sides say; `parent` starts it,
//! `supervisor` watches and kills it; `sandbox` is what it is shut in by; `child` is what runs inside and must know no address, no credential and no name of a client.

pub mod protocol;
pub mod sandbox;

pub mod child;
pub(crate) mod launcher;
pub(crate) mod limits;
mod lines;
pub(crate) mod parent;
mod proof;
mod reporter;
mod supervisor;
mod trial;
pub(crate) mod verdict;
pub(crate) mod waveform;
pub(crate) mod words;
