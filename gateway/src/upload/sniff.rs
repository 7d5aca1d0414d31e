//! What a file is, judged by its first bytes; the client's words only decide whether it is worth a probe.
//!
//! Three rules: what a browser would run or follow (HTML, SVG, XML, playlists, scripts) is never media and never inline;
//! an image is one of the formats every browser shows, or what phones make and Safari shows (HEIC); whatever else is
//! `application/octet-stream` to the world.

use std::borrow::Cow;

use file_format::FileFormat;
use reelgate_common::file::FileKind;

/// How many first bytes are looked at.
pub(crate) const SNIFF_BYTES: usize = 16 * 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sniffed {
    pub(crate) kind: FileKind,
    pub(crate) content_type: Cow<'static, str>,
}

impl Sniffed {
    const OTHER: Self = Self { kind: FileKind::Other, content_type: Cow::Borrowed("application/octet-stream") };

    fn is_media(&self) -> bool {
        matches!(self.kind, FileKind::Video | FileKind::Audio)
    }
}

/// Judges the first bytes of a file.
pub(crate) fn sniff(head: &[u8]) -> Sniffed {
    let head = &head[..head.len().min(SNIFF_BYTES)];
    if is_markup_or_playlist(head) {
        return Sniffed::OTHER;
    }
    let format = FileFormat::from_bytes(head);
    known(format).or_else(|| stream_without_signature(head)).unwrap_or_else(|| by_kind(format))
}

/// Whether extension, claimed type or content says audio or video: then the file is probed.
pub(crate) fn wants_probe(extension: Option<&str>, claimed: Option<&str>, sniffed: &Sniffed) -> bool {
    sniffed.is_media() || extension.is_some_and(is_media_extension) || claimed.is_some_and(is_media_claim)
}

/// Names in order of how often they are met; the crate's own types are not always those that browsers know.
fn known(format: FileFormat) -> Option<Sniffed> {
    let (kind, content_type) = match format {
        FileFormat::Mpeg4Part14 | FileFormat::Mpeg4Part14Video | FileFormat::AppleItunesVideo => {
            (FileKind::Video, "video/mp4")
        }
        FileFormat::AppleQuicktime => (FileKind::Video, "video/quicktime"),
        FileFormat::Webm => (FileKind::Video, "video/webm"),
        FileFormat::MatroskaVideo | FileFormat::ExtensibleBinaryMetaLanguage => (FileKind::Video, "video/x-matroska"),
        FileFormat::AudioVideoInterleave => (FileKind::Video, "video/x-msvideo"),
        FileFormat::AdvancedSystemsFormat => (FileKind::Video, "video/x-ms-asf"),
        FileFormat::MaterialExchangeFormat => (FileKind::Video, "application/mxf"),
        FileFormat::Mpeg4Part14Audio | FileFormat::AppleItunesAudio => (FileKind::Audio, "audio/mp4"),
        FileFormat::Id3v2 | FileFormat::Mpeg12AudioLayer3 => (FileKind::Audio, "audio/mpeg"),
        FileFormat::WaveformAudio => (FileKind::Audio, "audio/wav"),
        FileFormat::FreeLosslessAudioCodec => (FileKind::Audio, "audio/flac"),
        FileFormat::OggMultiplexedMedia => (FileKind::Video, "application/ogg"),
        FileFormat::JointPhotographicExpertsGroup => (FileKind::Image, "image/jpeg"),
        FileFormat::PortableNetworkGraphics | FileFormat::AnimatedPortableNetworkGraphics => {
            (FileKind::Image, "image/png")
        }
        FileFormat::GraphicsInterchangeFormat => (FileKind::Image, "image/gif"),
        FileFormat::Webp => (FileKind::Image, "image/webp"),
        FileFormat::Av1ImageFileFormat => (FileKind::Image, "image/avif"),
        FileFormat::HighEfficiencyImageCoding => (FileKind::Image, "image/heic"),
        FileFormat::WindowsBitmap => (FileKind::Image, "image/bmp"),
        FileFormat::PortableDocumentFormat => (FileKind::Other, "application/pdf"),
        FileFormat::Zip => (FileKind::Other, "application/zip"),
        _ => return None,
    };
    Some(Sniffed { kind, content_type: content_type.into() })
}

/// Formats that we only need to know as audio or video; images that browsers cannot show stay `Other`.
fn by_kind(format: FileFormat) -> Sniffed {
    let kind = match format.kind() {
        file_format::Kind::Video => FileKind::Video,
        file_format::Kind::Audio => FileKind::Audio,
        _ => return Sniffed::OTHER,
    };
    Sniffed { kind, content_type: format.media_type().to_owned().into() }
}

/// Elementary streams that begin with a sync word instead of a signature.
fn stream_without_signature(head: &[u8]) -> Option<Sniffed> {
    let packets = |length: usize, first: usize| {
        head.len() > first + 2 * length && (0..3).all(|n| head[first + n * length] == 0x47)
    };
    if packets(188, 0) || packets(192, 4) {
        return Some(Sniffed { kind: FileKind::Video, content_type: "video/mp2t".into() });
    }
    None
}

/// Text that begins like markup, a playlist or a script, whatever is appended to it.
fn is_markup_or_playlist(head: &[u8]) -> bool {
    let head = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    const BEGINS: [&[u8]; 7] = [b"<", b"#EXTM3U", b"#EXT-X", b"ffconcat", b"[playlist]", b"#!", b"v=0"];
    BEGINS.iter().any(|begin| head.len() >= begin.len() && head[..begin.len()].eq_ignore_ascii_case(begin))
}

fn is_media_extension(extension: &str) -> bool {
    const MEDIA: &[&str] = &[
        "3g2", "3gp", "aac", "ac3", "aif", "aiff", "asf", "avi", "f4v", "flac", "flv", "m2ts", "m4a", "m4b", "m4v",
        "mj2", "mka", "mkv", "mov", "mp2", "mp3", "mp4", "mpe", "mpeg", "mpg", "mts", "mxf", "oga", "ogg", "ogv",
        "opus", "qt", "ts", "vob", "wav", "weba", "webm", "wma", "wmv",
    ];
    MEDIA.binary_search(&extension).is_ok()
}

/// `audio/*` and `video/*`, but playlists, which are text that names other files.
fn is_media_claim(claimed: &str) -> bool {
    let claimed = claimed.trim().to_ascii_lowercase();
    let media = claimed.starts_with("audio/") || claimed.starts_with("video/");
    media && !claimed.contains("mpegurl") && !claimed.contains("scpls")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(head: &[u8]) -> (FileKind, Cow<'static, str>) {
        let sniffed = sniff(head);
        (sniffed.kind, sniffed.content_type)
    }

    #[test]
    fn common_media_is_told_apart() {
        assert_eq!(
            judged(b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41\0\0\0\x08free"),
            (FileKind::Video, "video/mp4".into())
        );
        assert_eq!(judged(b"\0\0\0\x14ftypqt  \0\0\x02\0qt  "), (FileKind::Video, "video/quicktime".into()));
        assert_eq!(judged(b"\0\0\0\x18ftypM4A \0\0\x02\0M4A mp42isom"), (FileKind::Audio, "audio/mp4".into()));
        assert_eq!(judged(b"ID3\x04\0\0\0\0\0\x23TSSE"), (FileKind::Audio, "audio/mpeg".into()));
        assert_eq!(judged(b"\xff\xfb\x90\x64\0\0\0\0"), (FileKind::Audio, "audio/mpeg".into()));
        assert_eq!(judged(b"RIFF\x24\x08\0\0WAVEfmt "), (FileKind::Audio, "audio/wav".into()));
        assert_eq!(judged(b"fLaC\0\0\0\x22"), (FileKind::Audio, "audio/flac".into()));
        assert_eq!(judged(b"\0\0\0\x18ftyp3gp4\0\0\x02\x003gp4isom").0, FileKind::Video);
        let mut ts = vec![0xffu8; 188 * 4];
        (0..4).for_each(|n| ts[n * 188] = 0x47);
        assert_eq!(judged(&ts), (FileKind::Video, "video/mp2t".into()));
    }

    #[test]
    fn images_are_those_that_browsers_show() {
        assert_eq!(judged(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), (FileKind::Image, "image/png".into()));
        assert_eq!(judged(b"\xff\xd8\xff\xe0\0\x10JFIF"), (FileKind::Image, "image/jpeg".into()));
        assert_eq!(judged(b"\0\0\0\x1cftypheic\0\0\0\0mif1heic"), (FileKind::Image, "image/heic".into()));
        assert_eq!(judged(b"II*\0\x08\0\0\0"), (FileKind::Other, "application/octet-stream".into()));
    }

    #[test]
    fn what_a_browser_would_run_or_follow_is_never_media() {
        let active: [&[u8]; 9] = [
            b"<!DOCTYPE html><script>alert(1)</script>",
            b"\xef\xbb\xbf  \n<html>",
            b"<?xml version=\"1.0\"?><svg xmlns=\"http://www.w3.org/2000/svg\"/>",
            b"<svg onload=alert(1)>",
            b"#EXTM3U\nhttp://169.254.169.254/",
            b"ffconcat version 1.0\nfile /etc/passwd",
            b"<?xml version='1.0'?><MPD/>",
            b"#!/bin/sh\nrm -rf /",
            b"v=0\r\no=- 0 0 IN IP4 127.0.0.1",
        ];
        for head in active {
            assert_eq!(
                judged(head),
                (FileKind::Other, "application/octet-stream".into()),
                "{}",
                String::from_utf8_lossy(head)
            );
        }
    }

    #[test]
    fn programs_text_and_nothing_are_other() {
        for head in [&b"\x7fELF\x02\x01\x01"[..], b"hello", b"", b"MZ\x90\0"] {
            assert_eq!(judged(head).0, FileKind::Other);
        }
    }

    #[test]
    fn any_sign_of_media_wants_a_probe() {
        let other = Sniffed::OTHER;
        let mp4 = sniff(b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41\0\0\0\x08free");
        assert!(wants_probe(None, None, &mp4));
        assert!(wants_probe(Some("mp4"), None, &other));
        assert!(wants_probe(None, Some("Video/MP4"), &other));
        assert!(!wants_probe(Some("m3u8"), Some("audio/x-mpegurl"), &other));
        assert!(!wants_probe(Some("pdf"), Some("application/pdf"), &other));
        assert!(!wants_probe(None, None, &other));
    }
}
