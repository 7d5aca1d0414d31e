//! Whole-system tests. `seams` holds the conformance suites, one per seam, each run on every backend.

mod access;
mod backup;
mod browser;
mod cache;
mod cancel;
mod chaos;
mod deploy;
mod documentation;
mod drain;
mod extras;
mod faults;
mod harness;
mod hostile;
mod idle;
mod jobs;
mod journeys;
mod languages;
mod large;
mod leases;
mod memory;
mod packaging;
mod playlists;
mod reconcile;
mod seams;
mod secrets;
mod thumbnails;
