//! A database that is away, and migrations that meet.

use std::{pin::pin, time::Duration};

use anyhow::{Context, Result};
use reelgate_common::{
    config::Secret,
    db::{Db, DbError, config::DatabaseConfig},
};
use reelgate_e2e::{proxy::Proxy, services::Postgres};
use sea_orm::ConnectionTrait;
use tokio::{net::TcpListener, time::timeout};

use super::setup::*;

fn config(url: &str, timeout_ms: u64) -> DatabaseConfig {
    DatabaseConfig { url: Secret::new(url), max_connections: 2, timeout_ms }
}

#[tokio::test]
async fn a_server_that_accepts_and_says_nothing_is_away() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("postgres://nobody@127.0.0.1:{}/none", listener.local_addr()?.port());
    let answer = Db::connect(&config(&url, 300)).await;
    assert!(matches!(answer, Err(DbError::Away(_))), "{answer:?}");
    Ok(())
}

#[tokio::test]
async fn an_address_of_another_kind_is_refused() {
    let answer = Db::connect(&config("mysql://localhost/x", 300)).await;
    assert!(matches!(answer, Err(DbError::Refused { .. })), "{answer:?}");
}

#[tokio::test]
async fn a_crashed_server_is_away_and_comes_back() -> Result<()> {
    let mut server = Postgres::start().await?;
    let url = server.fresh_database()?;
    let db = open(&url).await?;
    reelgate_migrations::up(db.connection()).await?;
    let id = uploading(&db, &org("acme")).await?;
    let impatient = Db::connect(&config(&url, 300)).await?;
    server.crash()?;
    assert!(matches!(impatient.ping().await, Err(DbError::Away(_))));
    assert!(matches!(impatient.known_files(&[id]).await, Err(DbError::Away(_))));
    server.restart().await?;
    assert_eq!(db.known_files(&[id]).await?, [id]);
    Ok(())
}

/// The driver takes a connection for a free one whose BEGIN nobody has waited for. The server does not.
#[tokio::test]
async fn what_is_written_after_a_begin_that_nobody_waited_for_is_committed() -> Result<()> {
    let server = Postgres::shared().await?;
    let url = server.fresh_database()?;
    reelgate_migrations::up(open(&url).await?.connection()).await?;
    let proxy = Proxy::start(server.port()).await?;
    let through = url.replace(&format!(":{}/", server.port()), &format!(":{}/", proxy.port()));
    let db = Db::connect(&DatabaseConfig { max_connections: 1, ..config(&through, 30_000) }).await?;
    db.ping().await?;
    proxy.hold_at(Some(b"BEGIN"));
    {
        let acme = org("acme");
        let mut leaving = pin!(uploading(&db, &acme));
        while proxy.held() == 0 {
            drop(timeout(Duration::from_millis(10), &mut leaving).await);
        }
    }
    proxy.hold_at(None);
    proxy.let_go();
    db.connection().execute_unprepared("CREATE TABLE written (n int)").await?;
    let (_, name) = url.rsplit_once('/').context("a database")?;
    assert_eq!(server.psql(name, "SELECT count(*) FROM pg_tables WHERE tablename = 'written'")?, "1");
    Ok(())
}

async fn meet(url: &str) -> Result<()> {
    let all = [open(url).await?, open(url).await?, open(url).await?, open(url).await?];
    let runs = all.iter().map(|db| reelgate_migrations::up(db.connection()));
    futures_util::future::try_join_all(runs).await?;
    assert_eq!(all[0].deployment_id().await?, all[3].deployment_id().await?);
    assert_eq!(all[0].census(Duration::ZERO).await?.stuck_files, 0);
    Ok(())
}

#[tokio::test]
async fn migrations_that_meet_on_postgres_do_the_work_once() -> Result<()> {
    meet(&Postgres::shared().await?.fresh_database()?).await
}

#[tokio::test]
async fn migrations_that_meet_on_sqlite_do_the_work_once() -> Result<()> {
    let folder = tempfile::tempdir()?;
    meet(&format!("sqlite:{}", folder.path().join("reelgate.db").display())).await
}
