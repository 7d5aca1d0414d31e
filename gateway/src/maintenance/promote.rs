//! Promotes sources that no worker promotes: images and other files, and those whose worker died before it could.

use reelgate_common::promote::{Promoted, promote};

use super::{DutyError, Ground};

const LIMIT: u64 = 100;

pub(super) async fn run(ground: Ground) -> Result<u64, DutyError> {
    let backends = &ground.backends;
    let (mut promoted, mut failed) = (0, None);
    for (org, file, _) in backends.db.unpromoted(LIMIT).await? {
        match promote(&backends.db, &*backends.storage, &org, file).await {
            Ok(Promoted::Done) => promoted += 1,
            Ok(Promoted::Already | Promoted::NoSuchFile) => {}
            // One source that cannot be moved must not keep the others in staging.
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(promoted), |error| Err(error.into()))
}
