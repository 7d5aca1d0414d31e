//! Rungs that are damaged between the encoder and the proof: the real task encodes, and a script spoils what it has made before
//! the worker hears of it. Each is kept back with its reason, nothing of it is stored, and the rung that is sound plays.

use futures_util::TryStreamExt;
use reelgate_common::{file::FileState, job::JobState, rendition::RenditionKind};

use crate::{footing::Footing, media::clip};

/// Runs the real task, and spoils a rung when it says that it is closed.
const SPOILS: &str = r#"
"$WORKER" "$@" | while IFS= read -r line; do
    case "$line" in
    *'"event":"output"'*'"name":"360p"'*)
        # Zeros over the middle of the pictures.
        half=$(( $(/usr/bin/stat -c %s 360p.mp4) / 2 ))
        /bin/dd if=/dev/zero of=360p.mp4 bs=1 seek=$half count=3000 conv=notrunc 2>/dev/null ;;
    *'"event":"output"'*'"name":"288p"'*)
        # The index promises what is not there.
        /usr/bin/truncate -s $(( $(/usr/bin/stat -c %s 288p.mp4) * 2 / 3 )) 288p.mp4 ;;
    *'"event":"output"'*'"name":"240p"'*)
        # A sound film, but half of it.
        /usr/bin/ffmpeg -nostdin -v quiet -y -i 240p.mp4 -t 2 -c copy -movflags +faststart other.mp4
        /bin/mv other.mp4 240p.mp4 ;;
    *'"event":"output"'*'"name":"180p"'*)
        # A sound film of another size.
        /usr/bin/ffmpeg -nostdin -v quiet -y -i 180p.mp4 -vf scale=160:90 -c:a copy -g 50 -sc_threshold 0 \
            -movflags +faststart other.mp4
        /bin/mv other.mp4 180p.mp4 ;;
    *'"event":"output"'*'"name":"160p"'*)
        # Its sound comes some hundredths of a second late.
        /usr/bin/ffmpeg -nostdin -v quiet -y -i 160p.mp4 -itsoffset 0.06 -i 160p.mp4 -map 0:v -map 1:a -c copy \
            -movflags +faststart other.mp4
        /bin/mv other.mp4 160p.mp4 ;;
    esac
    printf '%s\n' "$line"
done
"#;

/// The rungs that are spoilt, and a word of why each is kept back.
const SPOILT: [(&str, &str); 5] = [
    ("360p", "a player fails on it"),
    ("288p", "a player fails on it"),
    ("240p", "it lasts 2"),
    ("180p", "another size"),
    ("160p", "its sound begins at"),
];

#[tokio::test(flavor = "multi_thread")]
async fn damaged_rungs_are_kept_back_with_their_reasons_and_the_sound_one_plays() {
    let folder = tempfile::tempdir().unwrap();
    let inputs =
        ["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25:duration=4", "-f", "lavfi", "-i", "sine=duration=4"];
    let film =
        clip(folder.path(), "film.ts", &[&inputs[..], &["-c:v", "mpeg2video", "-q:v", "2", "-c:a", "mp2"]].concat());
    let spoils = format!("WORKER={}\n{SPOILS}", env!("CARGO_BIN_EXE_worker"));
    let mut footing = Footing::new(&spoils).await;
    footing.config.jobs.max_failures = 1;
    footing.config.ladder.rungs = vec![360, 288, 240, 180, 160, 144];
    footing.config.ladder.preset = "ultrafast".to_owned();
    let (file, worker) = (footing.upload(std::fs::read(film).unwrap().leak()).await, footing.start());
    footing.job_is(file, JobState::Done).await;
    worker.stop().await;

    let found = footing.file(file).await;
    assert_eq!(found.file.state, FileState::Ready);
    let played = found.renditions.iter().filter(|rendition| rendition.kind == RenditionKind::Video);
    assert_eq!(played.map(|rendition| rendition.name.as_str()).collect::<Vec<_>>(), ["144p"]);
    let plan = footing.job(file).await.plan.unwrap();
    let refused = plan["refused"].as_array().unwrap();
    for (name, why) in SPOILT {
        let refusal =
            refused.iter().find(|refusal| refusal["name"] == name).unwrap_or_else(|| panic!("{name}: {plan:#}"));
        assert_eq!(refusal["code"], "output_refused", "{refusal}");
        assert!(refusal["message"].as_str().unwrap().contains(why), "{refusal}");
    }
    assert_eq!(refused.len(), SPOILT.len(), "{plan:#}");
    let stored: Vec<_> = footing.backends.storage.list("media/").try_collect().await.unwrap();
    let spoilt = stored.iter().filter(|object| SPOILT.iter().any(|(name, _)| object.key.to_string().contains(name)));
    assert_eq!(spoilt.count(), 0, "{stored:?}");
}
