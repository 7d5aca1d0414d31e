//! `reelgate token`: a signed-in JWT on standard output and nothing else. Reads the same secret as the running server and
//! asks nobody.

use std::{path::Path, process::ExitCode};

use reelgate_common::{
    auth::{MintRequest, mint},
    config::RawConfig,
};

use crate::{cli, data_dir::DataDir, settings::Settings};

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
    use std::time::Duration;

    use super::*;
    use crate::lifetime::Lifetime;

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
