//! `reelgate keys rotate`: another key signs stream tokens from now on, and those before it go on verifying for as long as what they
//! signed lives. Changes a text; gateways read it when they start.

mod place;
mod rotation;

use std::{path::Path, process::ExitCode, time::Duration};

use reelgate_common::config::RawConfig;

use self::{
    place::Place,
    rotation::{Rotation, rotate},
};
use crate::{cli, settings::Settings};

/// Longer than a film is watched, however long it is, and than the uploads of a day go on.
const LEAST_KEPT: Duration = Duration::from_secs(2 * 86_400);

/// Prints the keys, or writes them where they stand.
pub(crate) fn run(arguments: &cli::RotateKeys, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let settings = Settings::load(&RawConfig::load(config)?)?;
    let place = Place::of(arguments, &settings)?;
    let keep = arguments.keep.map_or_else(|| kept(&settings), |keep| keep.0);
    let rotation = rotate(place.keys(), now(), keep, arguments.announce)?;
    place.write(&rotation.keys)?;
    explain(&rotation, &place, keep);
    Ok(ExitCode::SUCCESS)
}

/// As long as anything lives that the settings let a key sign.
fn kept(settings: &Settings) -> Duration {
    let signed = [
        Duration::from_secs(settings.tokens.ttl_seconds),
        Duration::from_secs(settings.resumable.max_token_seconds),
        Duration::from_millis(settings.leases.hard_cap_ms),
    ];
    signed.into_iter().fold(LEAST_KEPT, Duration::max)
}

fn now() -> i64 {
    reelgate_common::timestamp::Timestamp::now().0 / 1_000
}

/// On standard error: standard output bears the keys alone.
#[expect(clippy::print_stderr, reason = "this is a command")]
fn explain(rotation: &Rotation, place: &Place, keep: Duration) {
    let Rotation { signs, made, dropped, announced, .. } = rotation;
    let hours = keep.as_secs() / 3_600;
    match (announced, made) {
        (true, Some(made)) => eprintln!(
            "The key {made} verifies from now on, and {signs} goes on signing. Restart every gateway with these keys, then rotate again."
        ),
        _ => eprintln!("The key {signs} signs from now on. What others signed is good for {hours} hours more."),
    }
    if !dropped.is_empty() {
        eprintln!("Nothing is left that these have signed; they are gone: {}", dropped.join(", "));
    }
    eprintln!("{}", place.advice());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_kept_as_long_as_what_they_signed() {
        let mut settings = Settings::default();
        assert_eq!(kept(&settings), LEAST_KEPT);
        settings.leases.hard_cap_ms = 5 * 86_400_000;
        assert_eq!(kept(&settings), Duration::from_secs(5 * 86_400));
    }
}
