//! What the rows say must lie in the store: the sources, what renditions and stills are made of, and captions. No leftovers, nothing of
//! deleted files and nothing of uploads under way.

use std::{collections::HashMap, time::Duration};

use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    prelude::{Expr, Uuid},
};

use crate::{
    db::{
        Db, DbError,
        entity::{files, parse, renditions, stills},
    },
    file::FileState,
    ids::{FileId, OrgId},
    key::Key,
    transfer::Wanted,
};

impl Db {
    /// What files of all organisations need, by the file's id, from the one behind `after` on. Of an older generation what somebody has
    /// watched within `silent`.
    ///
    /// # Errors
    /// The database is away.
    pub async fn objects_after(
        &self,
        after: Option<FileId>,
        silent: Duration,
        limit: u64,
    ) -> Result<Vec<(FileId, Vec<Wanted>)>, DbError> {
        let mut query = standing().order_by_asc(files::Column::Id).limit(limit);
        if let Some(after) = after {
            query = query.filter(files::Column::Id.gt(after.0));
        }
        let rows = self.in_time(async { Ok(query.all(&self.connection).await?) }).await?;
        self.objects_of_rows(rows, silent).await
    }

    /// The same of these files.
    ///
    /// # Errors
    /// The database is away.
    pub async fn objects_of(&self, files: &[FileId], silent: Duration) -> Result<Vec<(FileId, Vec<Wanted>)>, DbError> {
        let query = standing().filter(files::Column::Id.is_in(files.iter().map(|file| file.0)));
        let rows = self.in_time(async { Ok(query.all(&self.connection).await?) }).await?;
        self.objects_of_rows(rows, silent).await
    }

    async fn objects_of_rows(
        &self,
        rows: Vec<files::Model>,
        silent: Duration,
    ) -> Result<Vec<(FileId, Vec<Wanted>)>, DbError> {
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        let (mut made, mut stills) = self.made_of(ids).await?;
        let mut all = Vec::with_capacity(rows.len());
        for file in rows {
            let mut wanted = vec![source(&file)?];
            for row in made.remove(&file.id).unwrap_or_default() {
                if self.is_served(&file, row.generation, silent).await? {
                    let org = OrgId::new(&*file.org_id);
                    wanted.extend(row.into_rendition()?.keys(&org).map(Wanted::of));
                }
            }
            for row in stills.remove(&file.id).unwrap_or_default() {
                wanted.extend(still(&file, &row)?);
            }
            all.push((FileId(file.id), wanted));
        }
        Ok(all)
    }

    async fn made_of(
        &self,
        files: Vec<Uuid>,
    ) -> Result<(HashMap<Uuid, Vec<renditions::Model>>, HashMap<Uuid, Vec<stills::Model>>), DbError> {
        self.in_time(async {
            let of_files = renditions::Column::FileId.is_in(files.clone());
            let made = renditions::Entity::find().filter(of_files).all(&self.connection).await?;
            let stills = stills::Entity::find()
                .filter(stills::Column::FileId.is_in(files))
                .filter(Expr::cust(stills::MADE))
                .all(&self.connection)
                .await?;
            let (mut by_file, mut stills_by_file) = (HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
            made.into_iter().for_each(|row| by_file.entry(row.file_id).or_default().push(row));
            stills.into_iter().for_each(|row| stills_by_file.entry(row.file_id).or_default().push(row));
            Ok((by_file, stills_by_file))
        })
        .await
    }

    /// Whether renditions of this generation are still played. Older ones go when nobody watches them any more.
    async fn is_served(&self, file: &files::Model, generation: i64, silent: Duration) -> Result<bool, DbError> {
        if generation == file.generation || generation == renditions::ALL_GENERATIONS {
            return Ok(true);
        }
        let pinned = self.pinned_generations(&OrgId::new(&*file.org_id), FileId(file.id), silent).await?;
        Ok(pinned.contains(&generation))
    }
}

/// Accepted, and not deleted; the trash belongs to it.
fn standing() -> sea_orm::Select<files::Entity> {
    files::Entity::find()
        .filter(files::Column::DeletedAt.is_null())
        .filter(files::Column::State.ne(FileState::Uploading.as_str()))
}

fn source(file: &files::Model) -> Result<Wanted, DbError> {
    let size = u64::try_from(file.size_bytes).ok();
    Ok(Wanted { key: parse(&file.source_key)?, size, sha256: Some(file.sha256.clone()) })
}

fn still(file: &files::Model, row: &stills::Model) -> Result<Option<Wanted>, DbError> {
    let Some(made) = row.made()?.filter(|_| row.generation == file.generation) else { return Ok(None) };
    let (org, file) = (OrgId::new(&*file.org_id), FileId(file.id));
    let (generation, attempt, name) = (row.generation, made.attempt, made.still.name());
    let key = Key::Output { org, file, generation, attempt, name };
    Ok(Some(Wanted { size: Some(made.size_bytes), ..Wanted::of(key) }))
}
