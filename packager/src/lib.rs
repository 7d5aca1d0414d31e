//! Pure MP4 work: reading an index, judging what can be served as it is, and moving `moov` to the front without copying
//! media. No IO, no unsafe, no panics on any input, no allocation beyond a stated bound.
#![forbid(unsafe_code)]
