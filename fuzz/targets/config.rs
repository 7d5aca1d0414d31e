//! A configuration file, and variables of the environment behind its first NUL: `KEY=value` in lines.
#![no_main]

use std::{collections::HashMap, path::PathBuf, sync::OnceLock};

use libfuzzer_sys::fuzz_target;
use reelgate_common::config::RawConfig;
use reelgate_gateway::GatewayConfig;

fn place() -> &'static PathBuf {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    PLACE.get_or_init(|| PathBuf::from(format!("/dev/shm/reelgate-fuzz-{}.toml", std::process::id())))
}

fuzz_target!(|input: &str| {
    let (file, environment) = input.split_once('\0').unwrap_or((input, ""));
    std::fs::write(place(), file).expect("a file in memory");
    let pairs = environment.lines().filter_map(|line| line.split_once('='));
    let environment: HashMap<_, _> = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    if let Ok(raw) = RawConfig::load_with(Some(place()), environment)
        && let Ok(config) = GatewayConfig::from_raw(&raw)
    {
        // What was accepted is usable: no arithmetic of it overflows.
        let _ = (config.upload.request_limit(), config.upload.part_bytes(Some(u64::MAX)), config.http.header_timeout());
    }
});
