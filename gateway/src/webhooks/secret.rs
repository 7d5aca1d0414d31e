//! Signing secrets: made here, shown once, and sealed for the row of their endpoint.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::RngCore;
use reelgate_common::{
    ids::WebhookId,
    tokens::{Keyring, SealBroken},
    webhook::{SealedSecrets, Webhook},
};

/// So that people, and programs that look for leaked secrets, know what it is.
const PREFIX: &str = "whsec_";

/// 256 bits of chance.
pub(super) fn generate() -> String {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
}

pub(super) fn seal(keyring: &Keyring, webhook: WebhookId, secret: &str) -> String {
    keyring.seal(&purpose(webhook), secret)
}

/// Those that sign now, the newest first.
///
/// # Errors
/// The newest cannot be opened. An older one that cannot be is left out.
pub(super) fn open(keyring: &Keyring, webhook: WebhookId, sealed: &SealedSecrets) -> Result<Vec<String>, SealBroken> {
    let purpose = purpose(webhook);
    let current = keyring.open(&purpose, &sealed.current)?;
    let old = sealed.old.as_ref().and_then(|(old, _)| keyring.open(&purpose, old).ok());
    Ok([Some(current), old].into_iter().flatten().collect())
}

/// The same secrets under the first key; `None` when the newest cannot be opened.
pub(super) fn reseal(keyring: &Keyring, webhook: &Webhook) -> Option<(String, Option<String>)> {
    let purpose = purpose(webhook.id);
    let again = |sealed: &str| keyring.open(&purpose, sealed).ok().map(|secret| keyring.seal(&purpose, &secret));
    let old = webhook.secrets.old.as_ref().and_then(|(old, _)| again(old));
    Some((again(&webhook.secrets.current)?, old))
}

/// Whether a gateway with these keys can sign what it sends to this endpoint.
#[must_use]
pub fn can_sign(keyring: &Keyring, webhook: WebhookId, sealed: &str) -> bool {
    keyring.open(&purpose(webhook), sealed).is_ok()
}

fn purpose(webhook: WebhookId) -> String {
    format!("webhook {webhook}")
}

#[cfg(test)]
mod tests {
    use reelgate_common::{timestamp::Timestamp, tokens::config::TokensConfig};

    use super::*;

    fn ring() -> Keyring {
        Keyring::new(&TokensConfig { keys: Keyring::generate(), ..TokensConfig::default() }).unwrap()
    }

    #[test]
    fn both_sign_until_the_old_one_ends_and_each_is_its_endpoints() {
        let (ring, id) = (ring(), WebhookId::new());
        let (new, old) = (generate(), generate());
        assert!(new != old && new.len() == PREFIX.len() + 43);
        let sealed = |old| SealedSecrets { current: seal(&ring, id, &new), old };
        let both = sealed(Some((seal(&ring, id, &old), Timestamp(0))));
        assert_eq!(open(&ring, id, &both), Ok(vec![new.clone(), old]));
        assert_eq!(open(&ring, id, &sealed(None)), Ok(vec![new.clone()]));
        let foreign = sealed(Some((seal(&ring, WebhookId::new(), &new), Timestamp(0))));
        assert_eq!(open(&ring, id, &foreign), Ok(vec![new.clone()]), "an older one that cannot be opened is left out");
        assert_eq!(open(&ring, WebhookId::new(), &both), Err(SealBroken));
    }
}
