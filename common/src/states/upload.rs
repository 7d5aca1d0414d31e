//! An unfinished transfer. It ends once: by its commit, by being given up, or with the deletion of its file, whichever comes
//! first; whoever comes later is refused and must drop the bytes it has stored.

/// Where a transfer stands, read from its file's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UploadState {
    /// Bytes arrive; its row says which multipart upload to abort.
    Open,
    /// The file was deleted meanwhile: the row stays until nobody can be writing any more.
    Deleted,
    /// Accepted: there is no row any more.
    Staged,
    /// Nothing is left of it.
    Closed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UploadEvent {
    /// A gateway says that it is alive, or names its multipart upload.
    Touch,
    /// The last byte is stored and durable.
    Stage,
    /// The client left, a limit was hit, a service failed, or no gateway has touched it for too long.
    Abandon,
    Delete,
    /// Nothing of the deleted file is left in the store.
    Purge,
}

/// The upload has ended already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Over;

impl UploadState {
    pub const ALL: [Self; 4] = [Self::Open, Self::Deleted, Self::Staged, Self::Closed];
}

impl UploadEvent {
    pub const ALL: [Self; 5] = [Self::Touch, Self::Stage, Self::Abandon, Self::Delete, Self::Purge];
}

/// # Errors
/// It ended before.
pub const fn transition(state: UploadState, event: UploadEvent) -> Result<UploadState, Over> {
    match (state, event) {
        (UploadState::Open | UploadState::Deleted, UploadEvent::Touch) => Ok(state),
        (UploadState::Open, UploadEvent::Stage) => Ok(UploadState::Staged),
        (UploadState::Open, UploadEvent::Delete) => Ok(UploadState::Deleted),
        (UploadState::Open | UploadState::Deleted, UploadEvent::Abandon)
        | (UploadState::Deleted, UploadEvent::Purge) => Ok(UploadState::Closed),
        _ => Err(Over),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_is_accepted_once_and_never_after_it_was_closed() {
        for state in UploadState::ALL {
            let staged = transition(state, UploadEvent::Stage);
            assert_eq!(staged.is_ok(), state == UploadState::Open, "{state:?}");
        }
    }

    #[test]
    fn nothing_leads_out_of_the_ends() {
        for end in [UploadState::Staged, UploadState::Closed] {
            assert!(UploadEvent::ALL.iter().all(|event| transition(end, *event).is_err()), "{end:?}");
        }
    }
}
