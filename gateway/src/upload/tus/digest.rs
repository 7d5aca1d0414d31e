//! The SHA-256 of an upload that comes in pieces: its state is kept in the row between them, so that no byte is read twice.

use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use sha2::{
    Digest, Sha256,
    digest::common::hazmat::{SerializableState, SerializedState},
};

use reelgate_common::hex::hex;

#[derive(Clone, Default)]
pub(super) struct Running(Sha256);

impl Running {
    /// From where it was left; `None` for what no state is.
    pub(super) fn from_state(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::default());
        }
        let bytes = STANDARD_NO_PAD.decode(text).ok()?;
        let state = SerializedState::<Sha256>::try_from(bytes.as_slice()).ok()?;
        Some(Self(Sha256::deserialize(&state).ok()?))
    }

    pub(super) fn state(&self) -> String {
        STANDARD_NO_PAD.encode(self.0.serialize())
    }

    pub(super) fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    /// Lower-case hexadecimal, as files' rows have it.
    pub(super) fn finish(self) -> String {
        hex(&self.0.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_goes_on_from_its_state_wherever_it_was_left() {
        let data: Vec<u8> = (0..1_000u32).map(|n| n as u8).collect();
        let whole = hex(&Sha256::digest(&data));
        for cut in [0, 1, 63, 64, 65, 127, 128, 500, 1_000] {
            let mut first = Running::default();
            first.update(&data[..cut]);
            let mut second = Running::from_state(&first.state()).unwrap();
            second.update(&data[cut..]);
            assert_eq!(second.finish(), whole, "{cut}");
        }
        assert!(Running::from_state("x").is_none());
    }
}
