//! A task: the child process that does one piece of libav work. `protocol` is what both sides say; `parent` starts, watches
//! and kills it; `child` is what runs inside and must know no address, no credential and no name of a client.

pub mod protocol;

pub mod child;
pub(crate) mod launcher;
mod lines;
pub(crate) mod parent;
mod reporter;
pub(crate) mod words;
