//! The harness of the whole-system tests: starts real services and real processes on free ports in temporary folders, talks
//! HTTP to them, and leaves nothing behind. It knows the product only from outside: its commands, its environment, its API.

pub mod browser;
pub mod chaos;
pub mod client;
pub mod clock;
pub mod collector;
pub mod contract;
pub mod disk;
pub mod film;
pub mod generated;
pub mod host;
pub mod hosts;
pub mod left_over;
pub mod listener;
pub mod names;
pub mod oracle;
pub mod ports;
mod preload;
pub mod process;
pub mod proxied;
pub mod proxy;
pub mod services;
pub mod sign_in;
pub mod site;
pub mod slow_reader;
pub mod trace;
