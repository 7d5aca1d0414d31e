//! Sorts what the database says into the few cases that callers act upon.

use sea_orm::{DbErr, RuntimeErr, sqlx};

use super::DbError;

impl From<DbErr> for DbError {
    fn from(error: DbErr) -> Self {
        if is_away(&error) {
            return Self::Away(Box::new(error));
        }
        match error {
            DbErr::Type(what) | DbErr::Json(what) => Self::Garbled(what),
            other => Self::Refused { what: "a statement", source: Box::new(other) },
        }
    }
}

fn is_away(error: &DbErr) -> bool {
    match error {
        DbErr::ConnectionAcquire(_) => true,
        DbErr::Conn(RuntimeErr::SqlxError(cause))
        | DbErr::Exec(RuntimeErr::SqlxError(cause))
        | DbErr::Query(RuntimeErr::SqlxError(cause)) => is_passing(cause),
        _ => false,
    }
}

fn is_passing(cause: &sqlx::Error) -> bool {
    match cause {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => true,
        sqlx::Error::Database(refusal) => refusal.code().is_some_and(|code| is_passing_code(&code)),
        _ => false,
    }
}

/// Postgres gives an SQLSTATE of five characters, SQLite an extended result code in decimal.
fn is_passing_code(code: &str) -> bool {
    match code.parse::<u32>() {
        Ok(number) if code.len() < 5 => is_passing_sqlite(number),
        _ => is_passing_sqlstate(code),
    }
}

/// Busy, locked, read-only, interrupted, I/O error, full, cannot open: <https://www.sqlite.org/rescode.html>.
fn is_passing_sqlite(code: u32) -> bool {
    matches!(code & 0xff, 5 | 6 | 8 | 9 | 10 | 13 | 14)
}

/// Connection lost (08), rolled back by contention (40), out of resources (53), lock not granted (55P03), operator
/// intervention and time-out (57), system error (58), read-only because of a fail-over (25006).
fn is_passing_sqlstate(code: &str) -> bool {
    ["08", "40", "53", "57", "58"].iter().any(|class| code.starts_with(class)) || matches!(code, "25006" | "55P03")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contention_and_outages_pass() {
        for code in ["5", "517", "6", "13", "40P01", "57014", "57P01", "53300", "08006", "25006"] {
            assert!(is_passing_code(code), "{code}");
        }
    }

    #[test]
    fn broken_rules_do_not_pass() {
        for code in ["1555", "2067", "787", "275", "1", "23505", "23503", "42P01", "22003"] {
            assert!(!is_passing_code(code), "{code}");
        }
    }
}
