//! Excerpts of a rung that is being made: what a look at them has proven is told to whoever proves the finished rung, and
//! what is no excerpt is looked at by nobody.

use std::{fs, path::Path};

use reelgate_worker::task::protocol::Request;

use crate::{footing::Footing, media::clip, pretended::film};

/// Makes an excerpt, waits until it was looked at where that is to be, then makes the film that lies in the test's folder.
/// The parent removes a look's folder when it has heard all.
const SCRIPT: &str = r#"
    case "$request" in
    *'"task":"encode"'*)
        MAKE
        echo '{"event":"excerpt","name":"180p","number":0}'
        echo '{"event":"excerpt","name":"no such rung","number":0}'
        while AWAITED && { [ ! -e ../../../../looked ] || [ -e ../look-encode-0-1 ]; }; do /bin/sleep 0.01; done
        /bin/cp ../../../../film.mp4 180p.mp4
        echo '{"event":"output","name":"180p","file":"180p.mp4","width":320,"height":180,"duration_ms":1000,"codecs":null}' ;;
    *'"task":"look"'*)
        echo > ../../../../looked
        [ "$(/bin/cat 180p.excerpt-0.mp4)" = "an excerpt" ] || exit 1
        echo '{"event":"looked","excerpt":"180p.excerpt-0.mp4","proven":["a digest"]}'
        echo '{"event":"looked","excerpt":"360p.excerpt-0.mp4","proven":["what nobody has asked for"]}' ;;
    *'"task":"verify"'*)
        /bin/cp request.json ../../../../verified ;;
    esac"#;

/// What the proof of the rung is told to be proven when `make` has made the excerpt.
async fn proven(make: &str, awaited: bool) -> Vec<String> {
    let script = SCRIPT.replace("MAKE", make).replace("AWAITED", if awaited { "true" } else { "false" });
    let mut footing = Footing::new(&film((320, 180), &script)).await;
    footing.config.jobs.max_failures = 1;
    let made = clip(
        footing.folder(),
        "film.mp4",
        &["-f", "lavfi", "-i", "testsrc2=size=320x180:duration=1", "-movflags", "+faststart"],
    );
    assert!(fs::metadata(made).unwrap().len() > 0);
    let (file, worker) = (footing.upload(b"film").await, footing.start());
    footing.settled(file).await;
    worker.stop().await;
    let Request::Verify { proven, .. } = serde_json::from_str(&footing.written("verified")).unwrap() else {
        panic!("the finished rung was not proven");
    };
    assert_eq!(Path::new(&footing.folder().join("looked")).exists(), awaited, "who was looked at");
    proven
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_early_look_has_proven_is_told_to_the_proof_of_the_whole() {
    assert_eq!(proven("printf 'an excerpt' > 180p.excerpt-0.mp4", true).await, ["a digest"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_excerpt_is_looked_at_by_nobody() {
    for make in ["/bin/ln -s /etc/passwd 180p.excerpt-0.mp4", "/bin/mkdir 180p.excerpt-0.mp4", "true"] {
        assert!(proven(make, false).await.is_empty(), "{make}");
    }
}
