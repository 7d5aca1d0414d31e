//! What the judgement says of every MP4 and MOV of the corpus. The table was checked by hand against ffprobe.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use reelgate_packager::{codecs, judge, parse_movie};

use crate::file::Loaded;

const EXPECTED: &[(&str, &str)] = &[
    ("attached_pic.mp4", "web+segment [avc1.64000d,mp4a.40.2]"),
    ("audio_only_aac.mp4", "no [mp4a.40.2] no_video"),
    ("av1_fragmented_portrait.mp4", "no [av01.0.04M.08,mp4a.40.2] fragmented empty_track video_codec no_clean_entry"),
    ("cam_1080p_5s_aac.mp4", "web+segment [avc1.640028,mp4a.40.2]"),
    ("cam_croatia_1080p25_8s_frag.mp4", "no [avc3.640028] fragmented empty_track video_codec no_clean_entry"),
    ("cam_singer_720p_15s.mp4", "web+segment [avc1.64001f]"),
    ("cea608_frag.mp4", "no [avc1.4d400d] fragmented empty_track no_clean_entry"),
    ("crafted_1e9_frames.mov", "no [raw ] implausible_duration too_many_samples video_codec broken_index"),
    ("crafted_dash_file.mp4", "error: l ve is cut short"),
    ("crafted_dims_65535.mp4", "error: avcC: a sequence parameter set cannot be read"),
    ("crafted_empty.mp4", "error: moov is cut short"),
    ("crafted_hls_file_etc_passwd.mp4", "error: M3U\\n is cut short"),
    ("crafted_hls_self_loop.mp4", "error: M3U\\n is cut short"),
    ("crafted_html_polyglot.mp4", "error: l><s is cut short"),
    ("crafted_mov_dref_url_passwd.mov", "no [raw ] external_data video_codec"),
    ("data_streams.mp4", "web+segment [avc1.4d4015,mp4a.40.2]"),
    (
        "drm_widevine_fragmented.mp4",
        "no [encv.64001f,mp4a.40.2] fragmented encrypted empty_track video_codec no_clean_entry",
    ),
    ("edts.mp4", "web [avc1.64001e,mp4a.40.2] pixel_aspect"),
    ("film_earth_720p_30s.mov", "web+segment [avc1.64001f,mp4a.40.2]"),
    ("fragmented_with_audio.mp4", "no [avc1.64001f,mp4a.40.2] fragmented empty_track no_clean_entry"),
    ("gopro_karma_480p_gpmd.mp4", "web+segment [avc1.4d401f,mp4a.40.2]"),
    ("h263_amr.3gp", "no [s263] video_codec"),
    ("h264_10bit.mp4", "no [avc1.6e000c] video_profile"),
    ("hdr10_av1_portrait.mp4", "no [av01.0.31M.10,mp4a.40.2] video_codec"),
    ("hostile_big_atom.mp4", "error: Zl\\x01y is cut short"),
    ("hostile_broken.mp4", "error: moov is cut short"),
    ("hostile_chunk_out_of_range.mp4", "no [avc1.42e015] broken_index"),
    ("hostile_malformed_free_box.mp4", "error: free: its size is less than its header"),
    ("iphone_hlg10_hevc_rot_editlist.mp4", "no [hvc1.2.4.L120.B0,mp4a.40.2] video_codec rotated hidden_frames"),
    ("iphone_ios9_rot90.mov", "web [avc1.64001f,mp4a.40.2] rotated"),
    ("long_6min_1080p_lowbitrate.mp4", "web+segment [avc1.42c028,mp4a.40.2]"),
    ("moov_at_end_480p_10s.mp4", "web [avc1.4d401f,mp4a.40.2] pixel_aspect"),
    ("pcm_sowt_1080p50.mov", "no [avc1.64002a,sowt] audio_codec"),
    ("phone_4k60_portrait.mp4", "web [avc1.640033,mp4a.40.2] rotated"),
    ("phone_hevc_metadata_track.mp4", "no [hvc1.1.6.L153.B0,mp4a.40.2] video_codec rotated"),
    ("sar_2x1.mp4", "web [avc1.64001e] pixel_aspect"),
    ("two_video_two_audio_movtext.mp4", "web+segment [avc1.64000c,mp4a.40.2]"),
    ("unsupported_codec_vvc.mp4", "no [vvc1] fragmented empty_track video_codec no_clean_entry"),
    ("vfr_screenrec_3026x1386.mp4", "web+segment [avc1.640032]"),
];

pub(crate) fn corpus() -> Option<PathBuf> {
    let named = env::var_os("REELGATE_CORPUS").map(PathBuf::from);
    named.or_else(|| Some(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/media"))).filter(|p| p.is_dir())
}

/// `web+segment avc1...`, `web: reasons`, `no: reasons`, or the error.
fn verdict(path: &Path) -> String {
    let read = || {
        let file = Loaded::open(path)?;
        let movie = parse_movie(file.whole(b"moov"))?;
        Ok((judge(&movie, file.bytes.len() as u64), codecs(&movie)))
    };
    let (safety, codecs) = match read() {
        Ok(judged) => judged,
        Err::<_, reelgate_packager::Mp4Error>(error) => return format!("error: {error}"),
    };
    let word = match (safety.web_safe, safety.segment_safe) {
        (true, true) => "web+segment",
        (true, false) => "web",
        (false, false) => "no",
        (false, true) => "impossible",
    };
    let reasons: Vec<&str> = safety.reasons.iter().map(|reason| reason.code).collect();
    format!("{word} [{codecs}] {}", reasons.join(" ")).trim_end().to_owned()
}

#[test]
fn every_mp4_and_mov_is_judged_as_expected() {
    let Some(corpus) = corpus() else {
        println!("skipped: no corpus, 0 files looked at");
        return;
    };
    let is_ours = |path: &PathBuf| path.extension().is_some_and(|e| e == "mp4" || e == "mov" || e == "3gp");
    let mut files: Vec<PathBuf> = fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(is_ours);
    files.sort();
    for path in &files {
        let name = path.file_name().unwrap().to_str().unwrap();
        let expected = EXPECTED.iter().find(|(file, _)| *file == name).map(|(_, verdict)| *verdict);
        assert_eq!(Some(verdict(path).as_str()), expected, "{name}");
    }
    println!("{} files looked at", files.len());
    assert_eq!(files.len(), EXPECTED.len());
}
