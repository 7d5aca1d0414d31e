//! What playlists, manifests and segments are, for the document.

use reelgate_common::ids::FileId;
use serde_json::{Value, json};

use crate::endpoint::{
    Endpoint, Tag,
    failures::{COUNTED, DATABASE},
    inline, media,
};

const HLS: &str = "application/vnd.apple.mpegurl";
const DASH: &str = "application/dash+xml";
const VTT: &str = "text/vtt";
const MP4: &[&str] = &["video/mp4", "audio/mp4"];

pub(crate) fn endpoints() -> Vec<Endpoint> {
    let entry = |path, id| Endpoint::get(path, id, Tag::Playback).played().of_file();
    let master = entry("/v1/files/stream/{file_id}/master.m3u8", "getMasterPlaylist")
        .says(
            "Playlist for HLS",
            "Names all that is ready, by addresses that need no token. Grows while renditions are made.",
        )
        .shows("A multivariant playlist.", &[HLS]);
    let manifest = entry("/v1/files/stream/{file_id}/manifest.mpd", "getManifest")
        .says(
            "Manifest for DASH",
            "Names all that is ready, by addresses that need no token. Grows while renditions are made.",
        )
        .shows("A manifest.", &[DASH]);
    vec![master, manifest, playlist(), key_frames(), init(), segment(), captions_playlist(), captions()]
}

fn playlist() -> Endpoint {
    track("/v1/files/stream/{file_id}/{lease}/{generation}/{rendition}/{track}/index.m3u8", "getMediaPlaylist")
        .says("Playlist of a track", "Taken from the master playlist. Never changes.")
        .shows("A media playlist.", &[HLS])
}

fn key_frames() -> Endpoint {
    track("/v1/files/stream/{file_id}/{lease}/{generation}/{rendition}/{track}/iframes.m3u8", "getKeyFramePlaylist")
        .says("Playlist of a track's key frames", "For pictures while somebody seeks. Taken from the master playlist.")
        .shows("A media playlist.", &[HLS])
}

fn init() -> Endpoint {
    track("/v1/files/stream/{file_id}/{lease}/{generation}/{rendition}/{track}/init.mp4", "getInitSegment")
        .says("Init segment of a track", "What a player reads first.")
        .shows("The segment.", MP4)
}

fn segment() -> Endpoint {
    let number = json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX });
    track("/v1/files/stream/{file_id}/{lease}/{generation}/{rendition}/{track}/{segment}.m4s", "getSegment")
        .says("Segment of a track", "A few seconds. Never changes.")
        .path("segment", number, "Its number, from zero.", json!(0))
        .shows("The segment.", MP4)
}

fn captions_playlist() -> Endpoint {
    below("/v1/files/stream/{file_id}/{lease}/{generation}/{rendition}/captions.m3u8", "getCaptionsPlaylist")
        .says("Playlist of captions", "Names one document. Taken from the master playlist.")
        .shows("A media playlist.", &[HLS])
}

fn captions() -> Endpoint {
    below("/v1/files/stream/{file_id}/{lease}/{generation}/{rendition}/captions.vtt", "getStreamCaptions")
        .says("Captions beside a stream", "Taken from the playlist of captions, or from the manifest.")
        .shows("The captions.", &[VTT])
}

fn track(path: &'static str, id: &'static str) -> Endpoint {
    let number = json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX });
    below(path, id).path("track", number, "The track within the rendition, from zero.", json!(0))
}

/// The lease is what lets in.
fn below(path: &'static str, id: &'static str) -> Endpoint {
    let name: fn() -> Value = || json!({ "type": "string", "minLength": 1, "pattern": "^[^/]+$" });
    let number = json!({ "type": "integer", "minimum": 1, "maximum": u32::MAX });
    Endpoint::get(path, id, Tag::Playback)
        .path("file_id", inline::<FileId>(), "The file, by its `id`.", json!(media::FILE))
        .path("lease", name(), "The playback that goes on; the playlist names it.", json!("kX3vY1m0Qd2uS8bT5nWc7A"))
        .path("generation", number, "Counts how often the file was processed.", json!(1))
        .path("rendition", name(), "`name` of the rendition.", json!("720p"))
        .fails(&["validation_failed", "file_not_found", "not_found", "segment_not_found"])
        .fails(&["token_expired", "token_revoked", "lease_ended", "token_invalid"])
        .fails(COUNTED)
        .fails(DATABASE)
}
