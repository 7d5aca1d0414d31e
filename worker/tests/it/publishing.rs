//! An attempt that loses its fence before it can publish: what it has stored does not stay in the store.

use reelgate_common::{db::Verdict, file::FileState, key::Key, storage::StorageError};

use crate::{footing::Footing, pretended::film};

const SIZE: (u32, u32) = (320, 180);

/// Makes a poster and no film, once it is let go.
const POSTER_ONLY: &str = r#"
    echo $$ > ../../../../draft; /bin/mv ../../../../draft ../../../../started
    while [ ! -e ../../../../go ]; do /bin/sleep 0.01; done
    printf '\377\330\377\300\000\021\010\000\264\001\100\003' > poster.jpg
    echo '{"event":"output","name":"poster","file":"poster.jpg","width":320,"height":180,"duration_ms":null,"codecs":null}'"#;

/// Makes a poster and says that the film is damaged, and the next time nothing.
const DAMAGED: &str = r#"
    if [ ! -e ../../../../once ]; then
        echo > ../../../../once
        printf '\377\330\377\300\000\021\010\000\264\001\100\003' > poster.jpg
        echo '{"event":"warned","reason":{"code":"damaged","message":"One packet could not be decoded."}}'
        echo '{"event":"output","name":"poster","file":"poster.jpg","width":320,"height":180,"duration_ms":null,"codecs":null}'
    fi"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_that_looks_at_nothing_again_keeps_what_was_found_wrong() {
    let mut footing = Footing::new(&film(SIZE, DAMAGED)).await;
    footing.config.jobs.max_failures = 2;
    let (file, worker) = (footing.upload(b"film").await, footing.start());
    let settled = footing.settled(file).await.file;
    worker.stop().await;
    assert_eq!(footing.job(file).await.failures, 2, "there is no film, twice");
    let codes: Vec<String> = settled.media.unwrap().warnings.into_iter().map(|warning| warning.code).collect();
    assert_eq!(codes, ["damaged"]);
}

/// Whether the poster lies in the store when the attempt is over, and whether it is published.
async fn makes_a_poster(loses_its_fence: bool) -> (bool, bool) {
    let mut footing = Footing::new(&film(SIZE, POSTER_ONLY)).await;
    footing.config.jobs.max_failures = 1;
    // Only publishing finds out what has happened.
    footing.config.jobs.heartbeat_ms = footing.config.jobs.lease_ms / 3;
    let (file, worker) = (footing.upload(b"film").await, footing.start());
    footing.started_task().await;
    let job = footing.job(file).await;
    if loses_its_fence {
        let lost = footing.backends.db.lose_attempt(job.id, None, &footing.config.jobs, 0.5).await.unwrap();
        assert!(matches!(lost, Verdict::Again(_)));
        footing.release("go");
    } else {
        footing.release("go");
        assert_eq!(footing.settled(file).await.file.state, FileState::Failed, "there is no film");
    }
    // The attempt's folder goes after its sweep.
    footing.scratch_is_empty().await;
    worker.stop().await;
    let (org, name) = (footing.org.clone(), "poster.jpg".to_owned());
    let key = Key::Output { org, file, generation: job.generation, attempt: job.attempt, name };
    let lies = match footing.backends.storage.head(&key).await {
        Ok(_) => true,
        Err(StorageError::NotFound { .. }) => false,
        Err(error) => panic!("{error}"),
    };
    (lies, !footing.file(file).await.renditions.is_empty())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_published_does_not_stay_in_the_store() {
    assert_eq!(makes_a_poster(false).await, (true, true));
    assert_eq!(makes_a_poster(true).await, (false, false));
}
