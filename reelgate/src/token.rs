//! `reelgate token`: a signed-in JWT on standard output and nothing else. Reads the same secret as the running server and
//! asks nobody.

use std::{path::Path, process::ExitCode, str::FromStr, time::Duration};

use reelgate_common::{
    auth::{MintRequest, mint},
    config::RawConfig,
};

use crate::{cli, data_dir::DataDir, settings::Settings};

/// A duration as people write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lifetime(pub(crate) Duration);

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a time is a whole number and s, m, h or d, e.g. 15m")]
pub(crate) struct NoLifetime;

impl FromStr for Lifetime {
    type Err = NoLifetime;

    fn from_str(text: &str) -> Result<Self, NoLifetime> {
        let unit = text.chars().last().ok_or(NoLifetime)?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return Err(NoLifetime),
        };
        let number: u64 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| NoLifetime)?;
        let seconds = number.checked_mul(seconds).filter(|seconds| *seconds > 0).ok_or(NoLifetime)?;
        Ok(Self(Duration::from_secs(seconds)))
    }
}

/// Prints the token.
#[expect(clippy::print_stdout, reason = "the token is this command's output")]
pub(crate) fn print(arguments: &cli::Token, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    println!("{}", make(arguments, config)?);
    Ok(ExitCode::SUCCESS)
}

fn make(arguments: &cli::Token, config: Option<&Path>) -> anyhow::Result<String> {
    let mut settings = Settings::load(&RawConfig::load(config)?)?;
    if let Some(dir) = secrets_dir(arguments, &settings) {
        DataDir::at(dir).fill_secrets(&mut settings)?;
    }
    anyhow::ensure!(
        !settings.auth.secret.is_empty(),
        "no secret to sign with: give --data-dir of the running server, or set auth.secret (REELGATE__AUTH__SECRET)"
    );
    let request = MintRequest {
        sub: arguments.sub.clone(),
        org: arguments.org.clone(),
        roles: arguments.roles.clone(),
        ttl: arguments.ttl.0,
    };
    mint(&settings.auth, &settings.auth.secret, &request).map_err(anyhow::Error::msg)
}

/// A configured secret needs no folder; the default folder counts only when a server has been started in it.
fn secrets_dir<'a>(arguments: &'a cli::Token, settings: &Settings) -> Option<&'a Path> {
    let default = Path::new(cli::DEFAULT_DATA_DIR);
    match &arguments.data_dir {
        Some(dir) => Some(dir),
        None if settings.auth.secret.is_empty() && default.is_dir() => Some(default),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_are_a_number_and_a_unit() {
        assert_eq!("90s".parse(), Ok(Lifetime(Duration::from_secs(90))));
        assert_eq!("1h".parse(), Ok(Lifetime(Duration::from_secs(3_600))));
        assert_eq!("7d".parse(), Ok(Lifetime(Duration::from_secs(604_800))));
        for bad in ["", "h", "1", "0s", "-1h", "1w", "1.5h", "99999999999999999999d", "9999999999999999999d", "1é"] {
            assert_eq!(bad.parse::<Lifetime>(), Err(NoLifetime), "{bad}");
        }
    }

    #[test]
    fn a_folder_without_a_server_still_signs_with_the_secret_that_server_will_use() {
        let folder = tempfile::tempdir().unwrap();
        let arguments = cli::Token {
            data_dir: Some(folder.path().to_owned()),
            sub: "alice".to_owned(),
            org: "acme".to_owned(),
            roles: vec!["admin".to_owned()],
            ttl: Lifetime(Duration::from_secs(60)),
        };
        let token = make(&arguments, None).unwrap();
        assert_eq!(token.split('.').count(), 3);
        let mut later = Settings::default();
        DataDir::at(folder.path()).fill_secrets(&mut later).unwrap();
        let mut again = Settings::default();
        DataDir::at(folder.path()).fill_secrets(&mut again).unwrap();
        assert_eq!(later.auth.secret.expose(), again.auth.secret.expose());
    }
}
