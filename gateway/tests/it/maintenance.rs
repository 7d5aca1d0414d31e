//! The loops of a running gateway, with short intervals.

use std::time::Duration;

use reelgate_common::{ids::OrgId, key::Key};
use reelgate_gateway::GatewayConfig;
use tokio::time::{Instant, sleep};

use crate::server::{Server, file, form, noise};

/// Far more than any loop needs here; only a failing test waits for it.
const PATIENCE: Duration = Duration::from_secs(20);

fn hasty(config: &mut GatewayConfig) {
    config.maintenance.term_ms = 300;
    config.maintenance.dispatch_ms = 20;
    config.maintenance.promote_ms = 20;
    config.maintenance.purge_ms = 20;
}

async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_gateway_promotes_dispatches_and_purges() {
    let server = Server::start_with(hasty).await;
    let (_, answer) = server.post(&form(&[file("notes.txt", b"hello"), file("film.mp4", &noise(100))])).await;
    let id = |n: usize| answer["files"][n]["id"].as_str().unwrap().parse().unwrap();
    let (notes, film) = (id(0), id(1));
    let (org, db) = (OrgId::new("acme"), server.backends.db.clone());
    eventually("the text is promoted", async || {
        db.find_file(&org, notes).await.unwrap().unwrap().file.source_key
            == Key::Source { org: org.clone(), file: notes }
    })
    .await;
    let job = db.jobs_of(&org, film).await.unwrap().remove(0).id;
    // As after FLUSHALL: the queue forgets the job, the dispatcher brings it back.
    assert!(server.backends.queue.cancel(job).await.unwrap());
    eventually("the film is queued again", async || server.backends.queue.depth().await.unwrap().ready == 1).await;
    db.delete_file(&org, notes).await.unwrap();
    eventually("the text is purged", async || db.known_files(&[notes]).await.unwrap().is_empty()).await;
    assert_eq!(server.left().await, (1, 1));
}
