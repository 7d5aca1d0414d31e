//! Conformance of the database seam: every test runs on SQLite and on Postgres and must see the same.

mod attempts;
mod capacity;
mod clock;
mod contention;
mod earned;
mod events;
mod extras;
mod files;
mod leases;
mod listing;
mod offices;
mod outages;
mod parts;
mod plans;
mod queue_side;
mod results;
mod schema;
mod setup;
mod stuck;
mod trash;
mod webhooks;

/// Makes two tests of each function: `sqlite::name` and `postgres::name`.
macro_rules! on_both {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() -> anyhow::Result<()> {
                super::$test(crate::seams::database::setup::Place::sqlite().await?).await
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() -> anyhow::Result<()> {
                super::$test(crate::seams::database::setup::Place::postgres().await?).await
            })+
        }
    };
}
use on_both;
