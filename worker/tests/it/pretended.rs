//! What a scripted task says of a source that nobody looks at.

/// A behaviour: a probe finds a film of this size, and to every other request the script answers before the task is done.
pub(crate) fn film((width, height): (u32, u32), script: &str) -> String {
    let media = serde_json::json!({
        "container": "mpegts", "duration_ms": 1000, "bitrate": 0, "audio": [], "subtitles": [],
        "video": {
            "stream": 0, "codec": "mpeg2video", "profile": null, "profile_name": null, "level": null,
            "coded_width": width, "coded_height": height, "width": width, "height": height, "rotation": 0,
            "sample_aspect": [1, 1], "frame_rate": [25, 1], "average_frame_rate": [25, 1], "pixel_format": "yuv420p",
            "bit_depth": 8, "chroma": "4:2:0", "interlaced": false, "color_primaries": null, "color_transfer": null,
            "color_space": null, "full_range": false, "duration_ms": 1000, "bitrate": null,
        },
    });
    format!(
        r#"
request=$(/bin/cat request.json)
case "$request" in
*'"task":"probe"'*)
    echo '{{"event":"probed","media":{media}}}' ;;
*)
    {script} ;;
esac
echo '{{"event":"done"}}'
"#
    )
}
