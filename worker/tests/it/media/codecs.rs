//! Rungs in further codecs: each decodes, has the size and the key frames of its H.264 twin, and is called what browsers know.

use reelgate_worker::{
    media::can_encode,
    plan::{LadderPolicy, VideoCodec, plan},
    task::protocol::Request,
};

use super::{
    child::{GRID, probe, run},
    measure::{clip, decodes, duration_ms, frames, starts_at_once, stream},
};

#[test]
fn further_codecs_have_the_key_frames_of_h264() {
    let folder = tempfile::tempdir().unwrap();
    let picture = ["-f", "lavfi", "-i", "testsrc2=size=192x108:rate=10:duration=5", "-c:v", "mpeg4"];
    let source = clip(folder.path(), "a.mkv", &picture);
    let media = probe(&source).unwrap();
    let codecs = vec![VideoCodec::Hevc, VideoCodec::Av1, VideoCodec::Vp9];
    assert!(codecs.iter().all(|codec| can_encode(*codec)), "this libav lacks an encoder");
    let policy = LadderPolicy { codecs, preset: "ultrafast".to_owned(), ..LadderPolicy::default() };
    let plan = plan(&media, GRID, &policy);
    let said = run(&Request::Encode { media: media.clone(), plan, threads: 2, keep_sound: false }, &source);
    assert!(said.failure().is_none(), "{:?}\n{}", said.failure(), said.log);
    let keys = |name: &str| -> Vec<u64> {
        let path = said.path(name);
        let scale: f64 = stream(&path, "v:0")["time_base"].as_str().unwrap()[2..].parse().unwrap();
        let keys = frames(&path).into_iter().filter(|frame| frame.1);
        keys.map(|frame| (frame.0 as f64 * 1_000.0 / scale).round() as u64).collect()
    };
    assert_eq!(keys("108p"), [0, 2_000, 4_000]);
    for (name, entry) in [("108p", "avc1"), ("108p-hevc", "hvc1"), ("108p-av1", "av01"), ("108p-vp9", "vp09")] {
        let path = said.path(name);
        decodes(&path);
        starts_at_once(&path);
        assert!(duration_ms(&path).abs_diff(media.duration_ms) <= 100, "{name}");
        let found = stream(&path, "v:0");
        assert_eq!((found["codec_tag_string"].as_str(), found["width"].as_u64()), (Some(entry), Some(192)), "{name}");
        let keys = keys(name);
        assert!([0, 2_000, 4_000].iter().all(|point| keys.contains(point)), "{name}: {keys:?}");
    }
}
