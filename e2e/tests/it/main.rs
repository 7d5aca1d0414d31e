//! Whole-system tests. `seams` holds the conformance suites, one per seam, each run on every backend.

/// The fuzz targets ask for it by this name: see `fuzzed`.
extern crate self as libfuzzer_sys;

/// Two tests of each function that takes a footing: `embedded::…` and `production::…`.
macro_rules! on_both_footings {
    ($($test:ident),+ $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() -> anyhow::Result<()> {
                super::$test(reelgate_e2e::site::Footing::Embedded).await
            })+
        }
        mod production {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() -> anyhow::Result<()> {
                super::$test(reelgate_e2e::site::Footing::Production).await
            })+
        }
    };
}
use on_both_footings;

mod access;
mod backup;
mod browser;
mod cache;
mod cancel;
mod chaos;
mod checking;
mod commands;
mod deploy;
mod documentation;
mod drain;
mod earned;
mod encrypted;
mod events;
mod exhaustion;
mod explained;
mod extras;
mod faults;
mod floods;
mod fuzzed;
mod harness;
mod hostile;
mod hosts;
mod idle;
mod images;
mod in_sync;
mod isolation;
mod javascript;
mod jobs;
mod journeys;
mod lanes;
mod languages;
mod large;
mod leases;
mod listing;
mod measuring;
mod memory;
mod metrics;
mod moving;
mod openapi;
mod overtaken;
mod packaging;
mod playlists;
mod profiles;
mod quality;
mod queueing;
mod reconcile;
mod roles;
mod seams;
mod secrets;
mod soak;
mod split;
mod thumbnails;
mod traces;
mod tus;
mod upgrade;
mod webhooks;

use fuzzed::fuzz_target;
