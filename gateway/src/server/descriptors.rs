//! How many connections the process can open descriptors for. A server that runs out of them cannot even refuse: it is told
//! before it listens, and takes no more connections than there will be room for.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// For everything else: database, queue and store, blocks and objects that are open, the log.
const OTHERS: u64 = 512;

/// Raises the limit of descriptors as far as the system lets it; how many of `wanted` connections fit into it.
pub(crate) fn make_room(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    if limit.current < limit.maximum || limit.maximum.is_none() {
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(%error, "the limit of open descriptors cannot be raised");
        }
    }
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let connections = connections_within(descriptors, wanted);
    if connections < wanted {
        tracing::warn!(
            descriptors,
            connections,
            "http.max_connections is {wanted}, but the process may open too few descriptors: raise its limit (ulimit -n, LimitNOFILE)"
        );
    }
    connections
}

/// Raises the limit as a gateway does at its start; how many connections it would take, if fewer than `wanted`.
#[must_use]
pub fn short_of_descriptors(wanted: usize) -> Option<usize> {
    Some(make_room(wanted)).filter(|room| *room < wanted)
}

/// At least one, even where there is room for none: it serves badly, but it says why.
fn connections_within(descriptors: u64, wanted: usize) -> usize {
    // Of few descriptors half are the connections', for the rest is shared by blocks of the cache that are open.
    let room = descriptors.saturating_sub(OTHERS).max(descriptors / 2).min(descriptors - descriptors / 4);
    usize::try_from(room).map_or(wanted, |room| wanted.min(room)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_everything_else() {
        assert_eq!(connections_within(1_048_576, 20_000), 20_000);
        assert_eq!(connections_within(u64::MAX, usize::MAX / 2), usize::MAX / 2);
        assert_eq!(connections_within(4_096, 20_000), 3_072);
        assert_eq!(connections_within(1_024, 20_000), 512);
        assert_eq!(connections_within(1_024, 100), 100);
        assert_eq!(connections_within(0, 20_000), 1);
    }
}
