//! Migrations expand and then contract: after each of them, what the version before says to the database still works. So all that it
//! knew is there as it was, and nothing that it does not know stands in the way of a row that it writes or deletes.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use reelgate_common::db::{LEFT_OUT, Table};
use sea_orm::{ConnectionTrait, DbBackend, Statement};

use super::setup::*;

/// What a statement of an older build can stumble over.
#[derive(Debug, Default, Clone)]
struct Schema {
    /// By table and column.
    columns: BTreeMap<(String, String), Column>,
    /// Table and the columns of each unique index.
    unique: BTreeSet<(String, String)>,
    /// Table that refers to another, that other, and what the deletion of a row there does.
    references: BTreeSet<(String, String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Column {
    kind: String,
    may_be_left_out: bool,
    /// What a row has that does not name it.
    is_null_then: bool,
}

/// Each of three texts; the database's own tables are left out.
const SQLITE: [&str; 3] = [
    "SELECT m.name, c.name, c.type || CASE WHEN c.dflt_value IS NOT NULL THEN '=?' WHEN c.\"notnull\" = 0 THEN '?' ELSE '' END
     FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%'",
    "SELECT m.name, (SELECT group_concat(name) FROM pragma_index_info(i.name)), ''
     FROM sqlite_master m JOIN pragma_index_list(m.name) i WHERE m.type = 'table' AND i.\"unique\" = 1",
    "SELECT m.name, f.\"table\", f.on_delete FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'",
];
const POSTGRES: [&str; 3] = [
    "SELECT table_name::text, column_name::text,
            data_type || CASE WHEN column_default IS NOT NULL THEN '=?' WHEN is_nullable = 'YES' THEN '?' ELSE '' END
     FROM information_schema.columns WHERE table_schema = 'public'",
    "SELECT i.indrelid::regclass::text, regexp_replace(pg_get_indexdef(i.indexrelid), '^.* USING ', ''), ''
     FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE i.indisunique AND n.nspname = 'public'",
    "SELECT conrelid::regclass::text, confrelid::regclass::text,
            CASE confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' ELSE 'NO ACTION' END
     FROM pg_constraint WHERE contype = 'f'",
];

impl Schema {
    async fn of(place: &Place) -> Result<Self> {
        let connection = place.db.connection();
        let backend = connection.get_database_backend();
        let questions = if backend == DbBackend::Sqlite { SQLITE } else { POSTGRES };
        let mut answers = Vec::new();
        for question in questions {
            let rows = connection.query_all_raw(Statement::from_string(backend, question)).await?;
            let texts = |row: &sea_orm::QueryResult| -> Result<(String, String, String)> {
                Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?, row.try_get_by_index(2)?))
            };
            answers.push(rows.iter().map(texts).collect::<Result<Vec<_>>>()?);
        }
        let mut schema = Self::default();
        for (table, name, kind) in &answers[0] {
            schema.column(table, name, kind);
        }
        schema.unique = answers[1].iter().map(|(table, index, _)| (table.clone(), index.clone())).collect();
        schema.references = answers[2].iter().cloned().collect();
        Ok(schema)
    }

    /// `kind` ends in `?` when a new row need not name it, in `=?` when it then has a value all the same.
    fn column(&mut self, table: &str, name: &str, kind: &str) {
        let may_be_left_out = kind.ends_with('?');
        let is_null_then = may_be_left_out && !kind.ends_with("=?");
        let kind = kind.trim_end_matches('?').trim_end_matches('=').to_owned();
        self.columns.insert((table.to_owned(), name.to_owned()), Column { kind, may_be_left_out, is_null_then });
    }

    /// Whether a unique index is of a column that a build which knows `before` leaves empty: such rows are never alike.
    fn spares(&self, before: &Self, (table, index): &(String, String)) -> bool {
        let words = || index.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        let is_left_empty = |(name, column): (&(String, String), &Column)| {
            name.0 == *table
                && column.is_null_then
                && !before.columns.contains_key(name)
                && words().any(|word| word == name.1)
        };
        self.columns.iter().any(is_left_empty)
    }

    fn has(&self, table: &str) -> bool {
        self.columns.keys().any(|(known, _)| known == table)
    }
}

/// What a build that knows `before` could not do any more.
fn objections(before: &Schema, after: &Schema) -> Vec<String> {
    let mut found = Vec::new();
    for (name, column) in &before.columns {
        match after.columns.get(name) {
            None => found.push(format!("{name:?} is gone")),
            Some(now) if now.kind != column.kind => found.push(format!("{name:?} is {} now", now.kind)),
            Some(now) if column.may_be_left_out && !now.may_be_left_out => {
                found.push(format!("{name:?} must be named now"));
            }
            Some(_) => {}
        }
    }
    for (name, column) in after.columns.iter().filter(|(name, _)| !before.columns.contains_key(*name)) {
        if before.has(&name.0) && !column.may_be_left_out {
            found.push(format!("a row without {name:?} is refused"));
        }
    }
    let harm = |index: &&(String, String)| before.has(&index.0) && !after.spares(before, index);
    for index in after.unique.difference(&before.unique).filter(harm) {
        found.push(format!("{index:?} refuses a second row"));
    }
    for reference in after.references.difference(&before.references) {
        if before.has(&reference.1) && !["CASCADE", "SET NULL"].contains(&&*reference.2) {
            found.push(format!("{reference:?} refuses a deletion"));
        }
    }
    found
}

async fn each_migration_leaves_the_version_before_at_work(place: Place) -> Result<()> {
    let (mut before, mut count) = (Schema::default(), 0);
    while reelgate_migrations::up_one(place.db.connection()).await? {
        let after = Schema::of(&place).await?;
        assert_eq!(objections(&before, &after), Vec::<String>::new(), "migration {}", count + 1);
        (before, count) = (after, count + 1);
    }
    assert!(count >= 6 && before.columns.len() > 60, "{count} migrations, {} columns", before.columns.len());
    assert!(before.unique.len() > 5 && before.references.len() > 2, "{before:?}");
    Ok(())
}

#[tokio::test]
async fn each_migration_leaves_the_version_before_at_work_sqlite() -> Result<()> {
    each_migration_leaves_the_version_before_at_work(Place::empty_sqlite().await?).await
}

#[tokio::test]
async fn each_migration_leaves_the_version_before_at_work_postgres() -> Result<()> {
    each_migration_leaves_the_version_before_at_work(Place::empty_postgres().await?).await
}

#[test]
fn what_an_older_build_would_stumble_over_is_objected_to() {
    let mut before = Schema::default();
    before.column("files", "id", "UUID");
    before.column("files", "note", "TEXT?");
    let changed = |change: fn(&mut Schema)| {
        let mut after = before.clone();
        change(&mut after);
        objections(&before, &after).len()
    };
    assert_eq!(changed(|_| ()), 0);
    assert_eq!(changed(|at| at.column("files", "more", "TEXT?")), 0);
    assert_eq!(changed(|at| at.column("other", "must", "TEXT")), 0);
    assert_eq!(changed(|at| _ = at.references.insert(("o".into(), "files".into(), "CASCADE".into()))), 0);
    assert_eq!(changed(|at| at.columns.retain(|(_, name), _| name != "note")), 1);
    assert_eq!(changed(|at| at.column("files", "note", "BIGINT?")), 1);
    assert_eq!(changed(|at| at.column("files", "note", "TEXT")), 1);
    assert_eq!(changed(|at| at.column("files", "more", "TEXT")), 1);
    assert_eq!(changed(|at| _ = at.unique.insert(("files".into(), "note".into()))), 1);
    let keyed = |kind| {
        let mut after = before.clone();
        after.column("files", "key", kind);
        after.unique.insert(("files".into(), "note,key".into()));
        objections(&before, &after).len()
    };
    assert_eq!((keyed("TEXT?"), keyed("TEXT=?")), (0, 1));
    assert_eq!(changed(|at| _ = at.references.insert(("o".into(), "files".into(), "NO ACTION".into()))), 1);
}

/// A table or a column that `reelgate import` knows nothing of would be lost by it: whoever adds one decides here.
async fn whatever_the_schema_has_is_moved_or_left_out_for_a_reason(place: Place) -> Result<()> {
    let schema = Schema::of(&place).await?;
    let mut known: BTreeSet<(String, String)> = BTreeSet::new();
    for table in Table::ALL {
        known.extend(table.columns().into_iter().map(|column| (table.to_string(), column)));
    }
    let left_out = |table: &str| LEFT_OUT.iter().any(|(name, reason)| *name == table && !reason.is_empty());
    let there: BTreeSet<(String, String)> =
        schema.columns.keys().filter(|(table, _)| !left_out(table)).cloned().collect();
    assert_eq!(there, known);
    assert!(LEFT_OUT.iter().all(|(table, _)| schema.has(table)), "it names tables that are no more");
    for (table, other, _) in &schema.references {
        let place = |name: &str| Table::ALL.iter().position(|it| it.as_str() == name);
        let (Some(row), Some(refers)) = (place(table), place(other)) else { continue };
        assert!(refers < row, "{table} refers to {other}, which is written later");
    }
    Ok(())
}

#[tokio::test]
async fn whatever_the_schema_has_is_moved_or_left_out_for_a_reason_sqlite() -> Result<()> {
    whatever_the_schema_has_is_moved_or_left_out_for_a_reason(Place::sqlite().await?).await
}

#[tokio::test]
async fn whatever_the_schema_has_is_moved_or_left_out_for_a_reason_postgres() -> Result<()> {
    whatever_the_schema_has_is_moved_or_left_out_for_a_reason(Place::postgres().await?).await
}
