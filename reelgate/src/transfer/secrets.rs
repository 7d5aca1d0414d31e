//! What the rows need that is no row: the keys under which secrets of webhooks are sealed and which sign stream tokens, and the secret by
//! which users sign in. A new data folder gets them; of another target the operator is told what is missing before anything is copied.

use futures_util::TryStreamExt;
use reelgate_common::{
    db::Table,
    ids::WebhookId,
    tokens::{Keyring, config::TokensConfig},
    transfer::Origin,
};
use reelgate_gateway::webhooks::can_sign;

use super::place::Place;

/// What to tell the operator.
///
/// # Errors
/// Webhooks could not be signed any more, and nobody has said that this may be.
pub(super) async fn carried(
    origin: &dyn Origin,
    from: Option<&Place>,
    into: &Place,
    without: bool,
) -> anyhow::Result<Vec<String>> {
    let mut advice = Vec::new();
    let mut settings = into.settings.clone();
    if let (Some(from), Some(dir)) = (from, &into.dir) {
        let adopted = dir.adopt_secrets(&from.settings, &mut settings)?;
        advice.extend(adopted.iter().map(|name| format!("{name} was carried over into the data folder.")));
    }
    let unsigned = unsigned(origin, &settings.tokens).await?;
    if unsigned > 0 {
        anyhow::ensure!(
            without,
            "keys_missing: the secrets of {unsigned} webhooks are sealed with keys that this deployment does not have. Give it the \
             tokens.keys of the other one (REELGATE__TOKENS__KEYS, or the file tokens.keys of the data folder); or say \
             --without-secrets, and rotate the secret of each webhook afterwards"
        );
        advice.push(format!("Rotate the secrets of {unsigned} webhooks: nothing can be sent to them until then."));
    }
    let known = from.map(|from| &from.settings).filter(|from| !from.tokens.keys.is_empty());
    if known.is_none_or(|from| from.tokens.keys != settings.tokens.keys || from.auth.secret != settings.auth.secret) {
        advice.push(
            "Give this deployment the other one's tokens.keys, else whoever plays must ask for a new token, and its auth.secret or \
             auth.jwks, else nobody's sign-in holds."
                .to_owned(),
        );
    }
    Ok(advice)
}

async fn unsigned(origin: &dyn Origin, config: &TokensConfig) -> anyhow::Result<u64> {
    // No keys yet: they are made at the first start, and open nothing.
    let keyring = (!config.keys.is_empty()).then(|| Keyring::new(config).map_err(anyhow::Error::msg)).transpose()?;
    let (mut pages, mut unsigned) = (origin.rows(Table::Webhooks), 0);
    while let Some(page) = pages.try_next().await? {
        for row in page {
            let webhook = row["id"].as_str().and_then(|id| id.parse::<WebhookId>().ok());
            let opens = match (&keyring, webhook, row["secret"].as_str()) {
                (Some(keyring), Some(webhook), Some(sealed)) => can_sign(keyring, webhook, sealed),
                _ => false,
            };
            unsigned += u64::from(!opens);
        }
    }
    Ok(unsigned)
}
