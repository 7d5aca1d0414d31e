//! Which blocks were fetched for readers who come on with requests of their own. Many players ask for a file in short ranges, one
//! after the other; for each the store would be asked when its reader waits already. So the block behind such a range is
//! fetched too, and is marked here: whoever comes into a marked block has the next one fetched.

use std::{
    collections::HashSet,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::object::Object;

/// Readers who never came leave their marks behind.
const MOST: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Sequels {
    marked: Mutex<HashSet<(Object, u64)>>,
    /// How many are marked: mostly none, and then nobody needs the lock.
    count: AtomicUsize,
}

impl Sequels {
    pub(super) fn mark(&self, object: &Object, block: u64) {
        let mut marked = self.lock();
        if marked.len() >= MOST {
            marked.clear();
        }
        marked.insert((object.clone(), block));
        self.count.store(marked.len(), Ordering::Relaxed);
    }

    /// Whether a reader who comes into this block is the one it was fetched for. Said once.
    pub(super) fn reached(&self, object: &Object, block: u64) -> bool {
        if self.count.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let mut marked = self.lock();
        let reached = marked.remove(&(object.clone(), block));
        self.count.store(marked.len(), Ordering::Relaxed);
        reached
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<(Object, u64)>> {
        self.marked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use reelgate_common::ids::{FileId, OrgId};

    use super::*;
    use crate::cache::object::ObjectName;

    fn object() -> Object {
        Object::new(ObjectName::Source { org: OrgId::new("acme"), file: FileId::new(), sha256: String::new() })
    }

    #[test]
    fn a_marked_block_is_reached_once() {
        let (sequels, marked, other) = (Sequels::default(), object(), object());
        sequels.mark(&marked, 3);
        assert!(!sequels.reached(&marked, 2) && !sequels.reached(&other, 3));
        assert!(sequels.reached(&marked, 3) && !sequels.reached(&marked, 3));
    }

    #[test]
    fn marks_that_nobody_reaches_do_not_pile_up() {
        let (sequels, object) = (Sequels::default(), object());
        for block in 0..3 * MOST as u64 {
            sequels.mark(&object, block);
        }
        assert!(sequels.lock().len() <= MOST);
    }
}
