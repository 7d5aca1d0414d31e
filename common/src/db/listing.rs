//! Lists of files: narrowed, in any order, page by page. A page begins behind a place in the order, not at a number, so that what is
//! added or deleted meanwhile moves nothing.

use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbBackend, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait, Select, Statement,
    prelude::Uuid,
    sea_query::{Expr, LikeExpr},
};

use super::{
    Db, DbError, FileWithRenditions,
    entity::{file_tags, files, signed},
    files::{living, standing, unexpired},
    read,
    transaction::WriteTx,
};
use crate::{
    ids::OrgId,
    listing::{FileFilter, Place, PlaceKey, Sort, SortBy, name_key},
    timestamp::Timestamp,
};

/// Longest page of a list, and one more, which tells whether anything follows.
const MAX_PAGE: u64 = 201;

impl Db {
    /// A page of an organisation's files.
    ///
    /// # Errors
    /// The database is away.
    pub async fn list_files(&self, org: &OrgId, filter: &FileFilter) -> Result<Vec<FileWithRenditions>, DbError> {
        let query = self.page(org, filter);
        self.in_time(async {
            let rows = query.all(&self.connection).await?;
            read::complete(&self.connection, rows).await
        })
        .await
    }

    /// How the database would find such a page, a line for each step: its own words. For those who hold that a page costs no more the more
    /// files there are.
    ///
    /// # Errors
    /// The database is away.
    pub async fn explain_files(&self, org: &OrgId, filter: &FileFilter) -> Result<Vec<String>, DbError> {
        let backend = self.connection.get_database_backend();
        let asked = self.page(org, filter).build(backend);
        let (words, column) = match backend {
            DbBackend::Sqlite => ("EXPLAIN QUERY PLAN", "detail"),
            _ => ("EXPLAIN", "QUERY PLAN"),
        };
        let asked = Statement { sql: format!("{words} {}", asked.sql), ..asked };
        self.in_time(async {
            let rows = self.connection.query_all_raw(asked).await?;
            Ok(rows.iter().map(|row| row.try_get("", column)).collect::<Result<_, _>>()?)
        })
        .await
    }

    fn page(&self, org: &OrgId, filter: &FileFilter) -> Select<files::Entity> {
        let among = match filter.trashed {
            false => living(&self.connection, org),
            true => unexpired(&self.connection, standing(org).filter(files::Column::TrashedAt.is_not_null())),
        };
        paged(among.filter(narrowed(org, filter)), filter)
    }

    /// Fills in what names are searched and sorted by, where an older build has written the row. How many there were.
    ///
    /// # Errors
    /// The database is away.
    pub async fn fold_names(&self, limit: u64) -> Result<u64, DbError> {
        let unnamed = files::Entity::find()
            .select_only()
            .columns([files::Column::Id, files::Column::Filename])
            .filter(Expr::cust(UNNAMED))
            .limit(limit);
        self.in_time(async {
            // Nearly always there are none: no turn is taken from those who write.
            if unnamed.clone().into_tuple::<(Uuid, String)>().one(&self.connection).await?.is_none() {
                return Ok(0);
            }
            let tx = self.write().await?;
            let rows = unnamed.into_tuple::<(Uuid, String)>().all(&*tx).await?;
            for (id, filename) in &rows {
                fold(&tx, *id, filename).await?;
            }
            tx.commit().await?;
            Ok(rows.len() as u64)
        })
        .await
    }
}

/// Only of a row that still bears this name.
async fn fold(tx: &WriteTx, id: Uuid, filename: &str) -> Result<(), DbError> {
    files::Entity::update_many()
        .col_expr(files::Column::NameKey, Expr::value(name_key(filename)))
        .filter(files::Column::Id.eq(id))
        .filter(files::Column::Filename.eq(filename))
        .exec(&**tx)
        .await?;
    Ok(())
}

/// Spelt as in the index of such rows.
const UNNAMED: &str = "name_key = '' AND deleted_at IS NULL";

fn narrowed(org: &OrgId, filter: &FileFilter) -> Condition {
    let since = |at: &Timestamp| files::Column::CreatedAt.gte(at.0);
    let before = |at: &Timestamp| files::Column::CreatedAt.lt(at.0);
    let ends = |at: &Timestamp| files::Column::ExpiresAt.lt(at.0);
    let mut all = Condition::all()
        .add_option(filter.owner.as_ref().map(|owner| files::Column::OwnerId.eq(owner.as_str())))
        .add_option(filter.created_after.as_ref().map(since))
        .add_option(filter.created_before.as_ref().map(before))
        .add_option(filter.size_min.map(|size| files::Column::SizeBytes.gte(signed(size))))
        .add_option(filter.size_max.map(|size| files::Column::SizeBytes.lte(signed(size))))
        .add_option(filter.name.as_deref().map(|text| files::Column::NameKey.like(containing(text))))
        .add_option(filter.expires_before.as_ref().map(ends));
    if !filter.states.is_empty() {
        all = all.add(files::Column::State.is_in(filter.states.iter().map(|state| state.as_str())));
    }
    if !filter.kinds.is_empty() {
        all = all.add(files::Column::Kind.is_in(filter.kinds.iter().map(|kind| kind.as_str())));
    }
    filter.tags.iter().fold(all, |all, tag| all.add(tagged(org, tag)))
}

/// `%` and `_` of the text mean themselves.
fn containing(text: &str) -> LikeExpr {
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    LikeExpr::new(format!("%{escaped}%")).escape('\\')
}

fn tagged(org: &OrgId, tag: &str) -> Expr {
    let bearers = file_tags::Entity::find()
        .select_only()
        .column(file_tags::Column::FileId)
        .filter(file_tags::Column::OrgId.eq(org.as_str()))
        .filter(file_tags::Column::Tag.eq(tag));
    files::Column::Id.in_subquery(bearers.into_query())
}

fn paged(query: Select<files::Entity>, filter: &FileFilter) -> Select<files::Entity> {
    let Sort { by, descending } = filter.sort;
    let column = column(by);
    let query = match descending {
        false => query.order_by_asc(column).order_by_asc(files::Column::Id),
        true => query.order_by_desc(column).order_by_desc(files::Column::Id),
    };
    let query = query.limit(filter.limit.clamp(1, MAX_PAGE));
    let Some(place) = &filter.after else { return query };
    let here = Expr::tuple([Expr::col((files::Entity, column)), Expr::col((files::Entity, files::Column::Id))]);
    let there = Expr::tuple([key(place), Expr::value(place.id.0)]);
    query.filter(if descending { here.lt(there) } else { here.gt(there) })
}

fn key(place: &Place) -> Expr {
    match &place.key {
        PlaceKey::Number(number) => Expr::value(*number),
        PlaceKey::Text(text) => Expr::value(text.as_str()),
    }
}

const fn column(by: SortBy) -> files::Column {
    match by {
        SortBy::CreatedAt => files::Column::CreatedAt,
        SortBy::UpdatedAt => files::Column::UpdatedAt,
        SortBy::Size => files::Column::SizeBytes,
        SortBy::Name => files::Column::NameKey,
    }
}
