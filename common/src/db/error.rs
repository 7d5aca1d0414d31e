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

impl DbError {
    /// Whether it is away because its disk is full. That passes when somebody makes room, and is told apart only for that.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let Self::Away(source) = self else { return false };
        let source: &(dyn std::error::Error + 'static) = source.as_ref();
        source.downcast_ref::<DbErr>().and_then(refusal_code).is_some_and(|code| is_full_code(&code))
    }
}

/// What the server has called it.
fn refusal_code(error: &DbErr) -> Option<String> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(cause))
        | DbErr::Exec(RuntimeErr::SqlxError(cause))
        | DbErr::Query(RuntimeErr::SqlxError(cause)) => Some(cause.as_database_error()?.code()?.into_owned()),
        _ => None,
    }
}

/// SQLite's 13, Postgres's 53100. An SQLite whose log cannot grow says 10 (I/O error) in some places.
fn is_full_code(code: &str) -> bool {
    code == "53100" || (code.len() < 5 && code.parse::<u32>().is_ok_and(|code| code & 0xff == 13))
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
    fn a_full_disk_is_told_apart() {
        assert!(is_full_code("13") && is_full_code("53100"));
        assert!(!is_full_code("10") && !is_full_code("53300"));
    }

    #[test]
    fn broken_rules_do_not_pass() {
        for code in ["1555", "2067", "787", "275", "1", "23505", "23503", "42P01", "22003"] {
            assert!(!is_passing_code(code), "{code}");
        }
    }
}
