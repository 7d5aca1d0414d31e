//! `POST /v1/files/{id}/restore`: a file comes back out of the trash, for its owner and admins. What goes there is `delete`'s.

pub mod config;

use reelgate_common::{auth::Caller, db::RestoredFile, ids::FileId};

use crate::{
    announce::announce,
    app::App,
    endpoint::{Endpoint, Tag},
    error::ApiError,
    file_json::{self, FileJson},
    grant::Grant,
    respond::{Response, ok},
};

/// What `POST /v1/files/{file_id}/restore` is.
pub(crate) fn endpoints() -> Vec<Endpoint> {
    let restore = Endpoint::post("/v1/files/{file_id}/restore", "restoreFile", Tag::Files)
        .says(
            "Takes a file out of the trash",
            "It is back as it was; what was being made of it goes on being made. For its owner and admins of its organisation.",
        )
        .signed_in()
        .of_file()
        .answers::<FileJson<'_>>(200, "The file.", &file_json::example())
        .fails(&["not_trashed"]);
    vec![restore]
}

/// # Errors
/// 404 for a file that is not in the trash, or in somebody else's; 409 for one that is not deleted.
pub(crate) async fn restore(app: &App, caller: &Caller, file: FileId) -> Result<Response, ApiError> {
    let Some(trashed) = app.db.find_trashed(&caller.org, file).await? else {
        return Err(absent(app, caller, file).await?);
    };
    if Grant::from(caller.clone()).owns(&trashed.file).is_err() {
        return Err(ApiError::file_not_found());
    }
    let RestoredFile::Back(row, due) = app.db.restore_file(&caller.org, file).await? else {
        return Err(absent(app, caller, file).await?);
    };
    app.rows.forget(&caller.org, file);
    // Else a token that is minted right now would be dated before the end of those that the deletion has ended, and end with them.
    app.leases.catch_up().await;
    tracing::info!(file.id = %file, org = %caller.org, user = %caller.user,
        override_by_admin = row.file.owner_id != caller.user, "a file was restored");
    for job in due {
        announce(app.queue.as_ref(), job.into()).await;
    }
    Ok(ok(&FileJson::from(&*row)))
}

async fn absent(app: &App, caller: &Caller, file: FileId) -> Result<ApiError, ApiError> {
    Ok(match app.db.find_file(&caller.org, file).await? {
        Some(_) => ApiError::new(http::StatusCode::CONFLICT, "not_trashed", "The file is not in the trash"),
        None => ApiError::file_not_found(),
    })
}
