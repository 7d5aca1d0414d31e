//! The harness itself: services start, answer, and come back after a crash.

use anyhow::Result;
use reelgate_e2e::services::{Garage, Postgres, Redis};

#[tokio::test]
async fn postgres_gives_fresh_databases_and_survives_a_crash() -> Result<()> {
    let mut server = Postgres::start().await?;
    let url = server.fresh_database()?;
    let name = url.rsplit('/').next().unwrap_or_default().to_owned();
    server.psql(&name, "create table kept (n int); insert into kept values (7)")?;
    server.restart().await?;
    assert_eq!(server.psql(&name, "select n from kept")?, "7");
    Ok(())
}

#[tokio::test]
async fn redis_comes_back_empty() -> Result<()> {
    let mut server = Redis::start().await?;
    assert!(server.command("SET a 1").await?.starts_with("+OK"));
    server.crash()?;
    assert!(server.command("PING").await.is_err());
    server.restart().await?;
    assert!(server.command("GET a").await?.starts_with("$-1"));
    Ok(())
}

#[tokio::test]
async fn garage_comes_back_after_a_crash() -> Result<()> {
    let mut server = Garage::start().await?;
    server.crash()?;
    server.restart().await
}
