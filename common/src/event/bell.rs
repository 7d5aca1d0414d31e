//! Says within a process that an organisation's log has grown. It is a hint: whoever misses it looks at the database all the same,
//! only later.

use tokio::sync::broadcast;

use crate::ids::OrgId;

/// More than are ever committed while somebody is on its way to listen again; who misses some is told so.
const CAPACITY: usize = 1_024;

/// Cheap to clone; all clones are one bell.
#[derive(Debug, Clone)]
pub struct Bell(broadcast::Sender<OrgId>);

impl Default for Bell {
    fn default() -> Self {
        Self(broadcast::Sender::new(CAPACITY))
    }
}

impl Bell {
    pub fn ring(&self, org: OrgId) {
        // Nobody listens: nobody need hear it.
        _ = self.0.send(org);
    }

    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<OrgId> {
        self.0.subscribe()
    }
}
