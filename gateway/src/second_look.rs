//! The second look at an object that the store does not have: a deletion that has overtaken a request is that request's end, and no fault; an
//! object that a row still names is one. Rows that are remembered do not count here, for they are what was wrong.

use reelgate_common::{
    db::{Db, DbError},
    ids::{FileId, OrgId},
    key::Key,
    storage::StorageError,
};

use crate::cache::ReadError;

/// What is to be said of `key`, an object of this file: that it or its file was deleted, or else that it is missing.
pub(crate) async fn look_again(db: &Db, (org, file): (&OrgId, FileId), key: &Key, missing: StorageError) -> ReadError {
    match names(db, org, file, key).await {
        Ok(None) => ReadError::Deleted,
        Ok(Some(false)) => ReadError::Withdrawn,
        Ok(Some(true)) => missing.into(),
        Err(error) => error.into(),
    }
}

/// Whether a rendition or a thumbnail of the file is made of this object; `None` for a file that is gone.
async fn names(db: &Db, org: &OrgId, file: FileId, key: &Key) -> Result<Option<bool>, DbError> {
    let found = match key {
        Key::Output { generation, .. } => db.find_generation(org, file, *generation).await?,
        _ => db.find_file(org, file).await?,
    };
    let Some(found) = found else { return Ok(None) };
    let published = found.renditions.iter().flat_map(|rendition| rendition.keys(org)).any(|named| named == *key);
    let is_source = found.file.source_key == *key;
    Ok(Some(published || is_source || is_still(db, org, file, key).await?))
}

async fn is_still(db: &Db, org: &OrgId, file: FileId, key: &Key) -> Result<bool, DbError> {
    let Key::Output { generation, attempt, name, .. } = key else { return Ok(false) };
    let stills = db.made_stills(org, file).await?;
    Ok(stills.iter().any(|(of, made)| of == generation && made.attempt == *attempt && made.still.name() == *name))
}

#[cfg(test)]
mod tests {
    use reelgate_common::{
        db::{NewFile, StagedFile},
        file::{FileKind, FileState},
        ids::UserId,
        labels::Labels,
        rendition::{Piece, Rendition, RenditionKind, Role},
        timestamp::Timestamp,
    };

    use super::*;
    use crate::{error::ApiError, upload::fixture::Fixture};

    fn acme() -> OrgId {
        OrgId::new("acme")
    }

    /// A file of seven bytes that nobody processes.
    async fn accepted(db: &Db) -> FileId {
        let (id, org_id) = (FileId::new(), acme());
        let new = NewFile {
            id,
            org_id: org_id.clone(),
            owner_id: UserId::new("alice"),
            location: id.to_string(),
            filename: "f".to_owned(),
            staging_key: Key::Staging { org: org_id.clone(), file: id },
            repeat_key: None,
            labels: Labels::default(),
        };
        db.create_file(&new).await.unwrap();
        let staged = StagedFile {
            size_bytes: 7,
            sha256: "00".repeat(32),
            content_type: "text/plain".to_owned(),
            kind: FileKind::Other,
            state: FileState::Ready,
            version: None,
        };
        db.stage_file(&org_id, id, &staged, None).await.unwrap().unwrap();
        id
    }

    fn captions(file: FileId) -> Rendition {
        Rendition {
            file_id: file,
            generation: 0,
            attempt: 0,
            name: "captions-en".to_owned(),
            kind: RenditionKind::Captions,
            content_type: "text/vtt".to_owned(),
            size_bytes: 7,
            width: None,
            height: None,
            bitrate: None,
            codecs: None,
            duration_ms: None,
            layout: vec![Piece { object: Role::Captions("en.vtt".to_owned()), offset: 0, length: 7 }],
            etag: "e".to_owned(),
            rank: -1,
            packaging: None,
            details: None,
            earned: false,
            used_at: None,
            created_at: Timestamp(0),
        }
    }

    /// Status and code of who asks for an object that the store does not have.
    async fn told(db: &Db, file: FileId, key: &Key) -> (u16, String) {
        let missing = StorageError::NotFound { key: key.to_string() };
        let error = ApiError::from(&look_again(db, (&acme(), file), key, missing).await);
        (error.status.as_u16(), error.code.into_owned())
    }

    #[tokio::test]
    async fn what_was_deleted_meanwhile_is_not_found_and_what_a_row_names_is_a_fault() {
        let fixture = Fixture::new().await;
        let db = &fixture.backends.db;
        let file = accepted(db).await;
        let source = Key::Staging { org: acme(), file };
        let added = Key::Captions { org: acme(), file, name: "en.vtt".to_owned() };
        db.put_captions(&acme(), file, &captions(file), 9).await.unwrap();
        for key in [&source, &added] {
            assert_eq!(told(db, file, key).await, (500, "internal".to_owned()), "{key}");
        }
        db.remove_captions(&acme(), file, "captions-en").await.unwrap().unwrap();
        assert_eq!(told(db, file, &added).await, (404, "rendition_not_found".to_owned()));
        let output = Key::Output { org: acme(), file, generation: 1, attempt: 1, name: "poster.jpg".to_owned() };
        assert_eq!(told(db, file, &output).await, (404, "rendition_not_found".to_owned()));
        assert!(db.delete_file(&acme(), file).await.unwrap());
        for key in [&source, &added, &output] {
            assert_eq!(told(db, file, key).await, (404, "file_not_found".to_owned()), "{key}");
        }
    }
}
