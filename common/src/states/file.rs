//! A file on its way from its first byte to `ready` or `failed`. A deletion is a mark beside the state: from then on nothing
//! changes any more until the rows are purged.

use crate::file::FileState;

/// The part of a file's row that moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileView {
    pub state: FileState,
    pub deleted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileEvent {
    /// The upload is accepted; `processed` when a job follows.
    Stage {
        processed: bool,
    },
    /// An attempt has begun.
    Begin,
    /// An attempt has published something under its fence.
    Publish {
        playable: bool,
    },
    /// Its job is over: done, dead or cancelled.
    GiveUp,
    /// A person asks for another run; `retryable` as the failure says.
    Retry {
        retryable: bool,
    },
    /// It was on its way and nothing moved it: it begins anew, in the next generation.
    Restart,
    /// A rendition whose object is gone was taken back; `playable` when another one still plays.
    Withdraw {
        playable: bool,
    },
    Delete,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    Deleted,
    /// The upload is not accepted yet, or was accepted before.
    NotNow,
    /// Another run would end in the same way.
    Hopeless,
}

/// # Errors
/// The file's state does not allow it; nothing may be written.
pub const fn transition(file: FileView, event: FileEvent) -> Result<FileView, Refused> {
    if file.deleted {
        return Err(Refused::Deleted);
    }
    let state = match (file.state, event) {
        (_, FileEvent::Delete) => return Ok(FileView { deleted: true, ..file }),
        (FileState::Uploading, FileEvent::Stage { processed: true })
        | (FileState::Failed, FileEvent::Retry { retryable: true }) => FileState::Staged,
        (FileState::Uploading, FileEvent::Stage { processed: false }) => FileState::Ready,
        (FileState::Uploading, _) | (_, FileEvent::Stage { .. }) => return Err(Refused::NotNow),
        // Thumbnails of what could not be processed change nothing about it.
        (FileState::Failed, FileEvent::Begin | FileEvent::GiveUp) => FileState::Failed,
        (FileState::Ready, FileEvent::Withdraw { playable: false })
        | (FileState::Staged | FileState::Processing, FileEvent::Restart) => FileState::Staged,
        (_, FileEvent::Restart) => return Err(Refused::NotNow),
        (FileState::Ready, _) => FileState::Ready,
        (FileState::Staged | FileState::Processing, FileEvent::Begin) => FileState::Processing,
        (FileState::Processing, FileEvent::Publish { playable: true }) => FileState::Ready,
        (FileState::Processing, FileEvent::Publish { playable: false }) => FileState::Processing,
        (FileState::Staged | FileState::Processing, FileEvent::GiveUp) => FileState::Failed,
        (FileState::Failed, FileEvent::Retry { retryable: false }) => return Err(Refused::Hopeless),
        (_, FileEvent::Publish { .. } | FileEvent::Retry { .. } | FileEvent::Withdraw { .. }) => {
            return Err(Refused::NotNow);
        }
    };
    Ok(FileView { state, ..file })
}

/// Every kind of event.
pub const EVENTS: [FileEvent; 12] = [
    FileEvent::Stage { processed: true },
    FileEvent::Stage { processed: false },
    FileEvent::Begin,
    FileEvent::Publish { playable: true },
    FileEvent::Publish { playable: false },
    FileEvent::GiveUp,
    FileEvent::Retry { retryable: true },
    FileEvent::Retry { retryable: false },
    FileEvent::Restart,
    FileEvent::Withdraw { playable: true },
    FileEvent::Withdraw { playable: false },
    FileEvent::Delete,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deleted_file_never_changes_again() {
        for &state in FileState::ALL {
            let deleted = FileView { state, deleted: true };
            assert!(EVENTS.iter().all(|event| transition(deleted, *event) == Err(Refused::Deleted)), "{state}");
        }
    }

    #[test]
    fn what_is_ready_stays_ready_until_it_is_deleted_or_lost() {
        let ready = FileView { state: FileState::Ready, deleted: false };
        for event in EVENTS {
            let next = transition(ready, event).map(|next| next.state);
            let lost = event == FileEvent::Withdraw { playable: false } && next == Ok(FileState::Staged);
            assert!(lost || matches!(next, Ok(FileState::Ready) | Err(Refused::NotNow)), "{event:?}: {next:?}");
        }
    }

    #[test]
    fn only_a_person_brings_a_failed_file_back() {
        let failed = FileView { state: FileState::Failed, deleted: false };
        for event in EVENTS {
            let left = transition(failed, event).is_ok_and(|next| next.state != FileState::Failed);
            assert_eq!(left, event == FileEvent::Retry { retryable: true }, "{event:?}");
        }
    }
}
