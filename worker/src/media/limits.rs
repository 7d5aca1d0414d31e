//! What a source may ask of us. Each figure bounds memory or time that hostile media would otherwise choose.

/// Demuxers that may look at a source. Playlists (HLS, DASH, ffconcat, SDP) and image patterns are left out: they name
/// other files and addresses.
pub(super) const FORMATS: &str = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,matroska;webm,avi,flv,mpegts,mpeg,mpegvideo,\
    mpegvideo,asf,ogg,wav,mp3,aac,flac,h264,hevc,m4v,ac3,eac3,amr,aiff,w64,dv,obu,ivf";

/// Video decoders that may run, by libav's names. Text-art and game codecs (XBIN, ANSI), raw pixels and rarely fuzzed
/// codecs are left out.
pub(super) const VIDEO_CODECS: &[&str] = &[
    "h264",
    "hevc",
    "vp8",
    "vp9",
    "av1",
    "mpeg1video",
    "mpeg2video",
    "mpeg4",
    "msmpeg4v1",
    "msmpeg4v2",
    "msmpeg4v3",
    "h263",
    "h263p",
    "h263i",
    "flv1",
    "wmv1",
    "wmv2",
    "wmv3",
    "vc1",
    "mjpeg",
    "prores",
    "dnxhd",
    "dvvideo",
    "theora",
    "vp6",
    "vp6f",
    "vp6a",
    "rv30",
    "rv40",
    "svq1",
    "svq3",
    "cinepak",
    "ffv1",
    "huffyuv",
    "qtrle",
    "hap",
    "cfhd",
];

/// Audio decoders that may run, by libav's names; `pcm_*` and `adpcm_*` are allowed beside them.
pub(super) const AUDIO_CODECS: &[&str] = &[
    "aac",
    "aac_latm",
    "mp3",
    "mp2",
    "mp1",
    "opus",
    "vorbis",
    "flac",
    "alac",
    "ac3",
    "eac3",
    "dts",
    "truehd",
    "amr_nb",
    "amr_wb",
    "wmav1",
    "wmav2",
    "wmapro",
    "wmalossless",
    "wmavoice",
    "qdm2",
    "qcelp",
    "gsm",
    "gsm_ms",
    "speex",
    "nellymoser",
    "wavpack",
    "ape",
    "tta",
    "cook",
    "mlp",
];

/// Pixels of one decoded frame: 8192 × 4320 and a little (a 420 kB H.264 file may claim 142 MP and cost 3 GB).
pub(super) const MAX_PIXELS: u64 = 36_000_000;
/// Longest side of a frame.
pub(super) const MAX_SIDE: u32 = 16_384;
/// Longest source, in milliseconds: 12 h.
pub(super) const MAX_DURATION_MS: u64 = 12 * 3600 * 1000;
/// Sample rates that resampling does not blow up.
pub(super) const SAMPLE_RATES: std::ops::RangeInclusive<u32> = 8_000..=192_000;
pub(super) const MAX_CHANNELS: u16 = 16;
/// Streams a container may announce.
pub(super) const MAX_STREAMS: &str = "64";
/// Bytes and microseconds read to learn the streams.
pub(super) const PROBE_BYTES: &str = "16000000";
pub(super) const PROBE_MICROSECONDS: &str = "10000000";
/// Sources up to this many bytes are scanned packet by packet when the container states no duration.
pub(super) const SCAN_BYTES: u64 = 256 << 20;

/// Whether we let libav decode this codec.
pub(super) fn video_codec_allowed(name: &str) -> bool {
    VIDEO_CODECS.contains(&name)
}

/// Whether we let libav decode this codec.
pub(super) fn audio_codec_allowed(name: &str) -> bool {
    AUDIO_CODECS.contains(&name) || name.starts_with("pcm_") || name.starts_with("adpcm_")
}

/// Frames of one film: 12 h at 120 per second.
pub(super) const MAX_FRAMES: u64 = 12 * 3600 * 120;
