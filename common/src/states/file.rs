//! A file on its way from its first byte to `ready` or `failed`. A deletion is a mark beside the state: from then on nothing
//! changes any more until the rows are purged. In the trash nothing changes either, but that it comes back or goes for good.

use crate::file::FileState;

/// The part of a file's row that moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileView {
    pub state: FileState,
    pub presence: Presence,
}

/// Whether its organisation has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Presence {
    Here,
    InTrash,
    Deleted,
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
    /// Into the trash.
    Discard,
    /// Out of it.
    Restore,
    Delete,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    Deleted,
    InTrash,
    /// The upload is not accepted yet, or was accepted before.
    NotNow,
    /// Another run would end in the same way.
    Hopeless,
}

/// # Errors
/// The file's state does not allow it; nothing may be written.
pub const fn transition(file: FileView, event: FileEvent) -> Result<FileView, Refused> {
    match (file.presence, event) {
        (Presence::Deleted, _) => return Err(Refused::Deleted),
        (_, FileEvent::Delete) => return Ok(FileView { presence: Presence::Deleted, ..file }),
        (Presence::InTrash, FileEvent::Restore) => return Ok(FileView { presence: Presence::Here, ..file }),
        (Presence::InTrash, _) => return Err(Refused::InTrash),
        (Presence::Here, _) => {}
    }
    let state = match (file.state, event) {
        (FileState::Uploading, FileEvent::Stage { processed: true })
        | (FileState::Failed, FileEvent::Retry { retryable: true }) => FileState::Staged,
        (FileState::Uploading, FileEvent::Stage { processed: false }) => FileState::Ready,
        (FileState::Uploading, _) | (_, FileEvent::Stage { .. } | FileEvent::Restore) => return Err(Refused::NotNow),
        (_, FileEvent::Discard) => return Ok(FileView { presence: Presence::InTrash, ..file }),
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
        (_, FileEvent::Publish { .. } | FileEvent::Retry { .. } | FileEvent::Withdraw { .. } | FileEvent::Delete) => {
            return Err(Refused::NotNow);
        }
    };
    Ok(FileView { state, ..file })
}

/// Every kind of event.
pub const EVENTS: [FileEvent; 14] = [
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
    FileEvent::Discard,
    FileEvent::Restore,
    FileEvent::Delete,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deleted_file_never_changes_again() {
        for &state in FileState::ALL {
            let deleted = FileView { state, presence: Presence::Deleted };
            assert!(EVENTS.iter().all(|event| transition(deleted, *event) == Err(Refused::Deleted)), "{state}");
        }
    }

    #[test]
    fn a_file_in_the_trash_comes_back_as_it_was_or_goes() {
        for &state in FileState::ALL {
            let trashed = FileView { state, presence: Presence::InTrash };
            for event in EVENTS {
                let expected = match event {
                    FileEvent::Restore => Ok(FileView { state, presence: Presence::Here }),
                    FileEvent::Delete => Ok(FileView { state, presence: Presence::Deleted }),
                    _ => Err(Refused::InTrash),
                };
                assert_eq!(transition(trashed, event), expected, "{state} {event:?}");
            }
        }
    }

    #[test]
    fn what_is_ready_stays_ready_until_it_is_deleted_or_lost() {
        let ready = FileView { state: FileState::Ready, presence: Presence::Here };
        for event in EVENTS {
            let next = transition(ready, event).map(|next| next.state);
            let lost = event == FileEvent::Withdraw { playable: false } && next == Ok(FileState::Staged);
            assert!(lost || matches!(next, Ok(FileState::Ready) | Err(Refused::NotNow)), "{event:?}: {next:?}");
        }
    }

    #[test]
    fn only_a_person_brings_a_failed_file_back() {
        let failed = FileView { state: FileState::Failed, presence: Presence::Here };
        for event in EVENTS {
            let left = transition(failed, event).is_ok_and(|next| next.state != FileState::Failed);
            assert_eq!(left, event == FileEvent::Retry { retryable: true }, "{event:?}");
        }
    }
}
