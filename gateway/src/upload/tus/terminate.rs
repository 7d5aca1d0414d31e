//! `DELETE`: gives an upload up. A file that was made of it stays: it is deleted as files are, by who may.

use http::StatusCode;

use super::{Desk, Secret, error::TusError, finish, take::Outcome};
use crate::respond::{Response, bare};

impl Desk {
    pub(super) async fn terminate(self, secret: &Secret) -> Result<Response, TusError> {
        self.find(secret).await?;
        let (upload, _holding) = match self.take(secret).await? {
            Outcome::Finished(over) => (*over, None),
            // Taken first, so that nobody writes while it is removed.
            Outcome::Taken(taken) => (taken.hold.resumable, Some(taken.holding)),
        };
        finish::close(&self.backends(), &upload.org_id, upload.file_id, Some(&upload)).await?;
        Ok(bare(StatusCode::NO_CONTENT))
    }
}
