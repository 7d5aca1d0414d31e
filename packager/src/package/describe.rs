//! Sample entries rebuilt as ISO has them. Those of QuickTime fail in players when they are copied (sound versions 1 and 2,
//! `wave`, loose bytes at the end), and boxes nobody asked for are only another way to fail.

use crate::{
    codec_string::entry_name,
    error::Mp4Error,
    fourcc::FourCc,
    sample_entry::{AudioEntry, Codec, SampleEntry, VideoEntry},
};

use super::write::{boxed, words};

/// A rebuilt entry is at most this long; parameter sets take a few hundred bytes.
const MAX_ENTRY_BYTES: usize = 64 << 10;
const MP3: u8 = 0x6b;
const MPEG4_AUDIO: u8 = 0x40;

/// A sample entry for an init segment.
pub(super) struct Description {
    pub(super) sample_entry: Vec<u8>,
    pub(super) codecs: String,
}

/// Rebuilds an entry.
///
/// # Errors
/// `Unsupported` for codecs which fragments do not hold or players do not know there.
pub(super) fn describe(entry: &SampleEntry) -> Result<Description, Mp4Error> {
    let entry = as_iso(entry);
    let sample_entry = match &entry.codec {
        Codec::Video(video) => write_video(entry.format, video)?,
        Codec::Audio(audio) => write_audio(entry.format, audio)?,
        Codec::Other => return Err(Mp4Error::Unsupported("a track that is neither video nor audio")),
    };
    if sample_entry.len() > MAX_ENTRY_BYTES {
        return Err(Mp4Error::Limit { what: "bytes of a sample entry", limit: MAX_ENTRY_BYTES as u64 });
    }
    Ok(Description { codecs: entry_name(&entry), sample_entry })
}

/// The entry by the name and numbers ISO files have for it.
fn as_iso(entry: &SampleEntry) -> SampleEntry {
    let mut entry = entry.clone();
    if let (b"hev1", Codec::Video(video)) = (&entry.format.0, &mut entry.codec)
        && video.config.as_mut().is_some_and(|(_, hvcc)| complete_parameter_sets(hvcc))
    {
        entry.format = FourCc(*b"hvc1");
    }
    match (&entry.format.0, &mut entry.codec) {
        (b".mp3", Codec::Audio(audio)) => {
            audio.object_type = Some(MP3);
            entry.format = FourCc(*b"mp4a");
        }
        // MPEG-2's number for AAC-LC; the frames are the same and players ask for the other.
        (b"mp4a", Codec::Audio(AudioEntry { object_type: Some(number @ 0x67), aac: Some(_), .. })) => {
            *number = MPEG4_AUDIO;
        }
        _ => {}
    }
    entry
}

/// Whether `hvcC` has all three kinds of parameter sets; marks them as complete, which `hvc1` says they are.
fn complete_parameter_sets(hvcc: &mut [u8]) -> bool {
    const KINDS: [u8; 3] = [32, 33, 34];
    let Some((head, mut rest)) = hvcc.split_at_mut_checked(23) else { return false };
    let mut found = [false; 3];
    for _ in 0..head.last().copied().unwrap_or(0) {
        let Some(([kind, high, low], after)) = rest.split_first_chunk_mut::<3>() else { return false };
        let sets = u16::from_be_bytes([*high, *low]);
        let known = KINDS.iter().zip(&mut found).find(|(wanted, _)| **wanted == *kind & 63);
        if let Some((_, found)) = known {
            *found = sets > 0;
            *kind |= 0x80;
        }
        rest = after;
        for _ in 0..sets {
            let Some(([high, low], after)) = rest.split_first_chunk_mut::<2>() else { return false };
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            let Some((_, after)) = after.split_at_mut_checked(length) else { return false };
            rest = after;
        }
    }
    found == [true; 3]
}

fn write_video(format: FourCc, video: &VideoEntry) -> Result<Vec<u8>, Mp4Error> {
    let config = match (&format.0, &video.avc, &video.config) {
        (b"avc1" | b"avc3", Some(avc), _) => boxed(b"avcC", &[&avc.raw]),
        (b"hvc1" | b"hev1", _, Some((FourCc(kind @ [b'h', b'v', b'c', b'C']), raw))) => boxed(kind, &[raw]),
        (b"av01", _, Some((FourCc(kind @ [b'a', b'v', b'1', b'C']), raw))) => boxed(kind, &[raw]),
        _ => return Err(Mp4Error::Unsupported("a video codec other than H.264, HEVC and AV1")),
    };
    let aspect = video.pixel_aspect.filter(|(h, v)| *h > 0 && *v > 0);
    let aspect = aspect.map_or(Vec::new(), |(h, v)| boxed(b"pasp", &[&words(&[h, v])]));
    let colour = video.colour.map_or(Vec::new(), |colour| {
        let points = [colour.primaries, colour.transfer, colour.matrix].map(u16::to_be_bytes).concat();
        boxed(b"colr", &[b"nclx", &points, &[u8::from(colour.full_range) << 7]])
    });
    let size = [video.width, video.height].map(u16::to_be_bytes).concat();
    // 72 dots an inch both ways, one frame a sample.
    let resolution = words(&[0x48 << 16, 0x48 << 16, 0]);
    let tail = [0, 0x18, 0xff, 0xff];
    let head = [0, 0, 0, 0, 0, 0, 0, 1];
    Ok(boxed(&format.0, &[&head, &[0; 16], &size, &resolution, &[0, 1], &[0; 32], &tail, &config, &aspect, &colour]))
}

fn write_audio(format: FourCc, audio: &AudioEntry) -> Result<Vec<u8>, Mp4Error> {
    let config = match (&format.0, audio.object_type, &audio.config) {
        (b"mp4a", Some(object_type), _) => write_esds(object_type, audio)?,
        (b"Opus", _, Some((FourCc(kind @ [b'd', b'O', b'p', b's']), raw))) => boxed(kind, &[raw]),
        (b"ac-3", _, Some((FourCc(kind @ [b'd', b'a', b'c', b'3']), raw))) => boxed(kind, &[raw]),
        (b"ec-3", _, Some((FourCc(kind @ [b'd', b'e', b'c', b'3']), raw))) => boxed(kind, &[raw]),
        (b"fLaC", _, Some((FourCc(kind @ [b'd', b'f', b'L', b'a']), raw))) => boxed(kind, &[raw]),
        _ => return Err(Mp4Error::Unsupported("an audio codec other than AAC, MP3, Opus, AC-3 and FLAC")),
    };
    let channels = u16::try_from(channels(audio)).unwrap_or(0).to_be_bytes();
    // 16.16, so that rates above 65,535 are told by the codec's own configuration only.
    let rate = u16::try_from(sample_rate(audio)).unwrap_or(0).to_be_bytes();
    let head = [0, 0, 0, 0, 0, 0, 0, 1];
    Ok(boxed(&format.0, &[&head, &[0; 8], &channels, &[0, 16], &[0; 4], &rate, &[0; 2], &config]))
}

/// Channels, by the codec's own word where there is one.
pub(super) fn channels(audio: &AudioEntry) -> u32 {
    audio.aac.as_ref().map(|aac| u32::from(aac.channels)).filter(|n| *n > 0).unwrap_or(audio.channels)
}

pub(super) fn sample_rate(audio: &AudioEntry) -> u32 {
    audio.aac.as_ref().map_or(audio.sample_rate, |aac| aac.sample_rate)
}

/// ES, decoder and sync layer descriptors (ISO/IEC 14496-1, 7.2.6) without rates, which nobody needs.
fn write_esds(object_type: u8, audio: &AudioEntry) -> Result<Vec<u8>, Mp4Error> {
    let specific = match (&audio.aac, object_type) {
        (Some(aac), _) => descriptor(5, &[&aac.raw]),
        (None, 0x69 | MP3) => Vec::new(),
        _ => return Err(Mp4Error::Unsupported("MPEG-4 audio without a configuration of AAC")),
    };
    // An audio stream (5 << 2 | 1), no buffer size, no rates.
    let decoder = descriptor(4, &[&[object_type, 0x15], &[0; 11], &specific]);
    let es = descriptor(3, &[&[0, 0, 0], &decoder, &descriptor(6, &[&[2]])]);
    Ok(boxed(b"esds", &[&[0; 4], &es]))
}

/// With a length of four bytes, as most writers have it.
fn descriptor(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let length = body.len();
    let mut out = vec![tag];
    out.extend([21, 14, 7].map(|shift| (length >> shift) as u8 & 0x7f | 0x80));
    out.push(length as u8 & 0x7f);
    out.extend(body);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{esds::read_audio_config, sample_entry::read_stsd, track_kind::TrackKind, vui::Colour};

    fn again(description: &Description, kind: TrackKind) -> SampleEntry {
        let stsd = [&words(&[0, 1])[..], &description.sample_entry].concat();
        read_stsd(&stsd, kind).unwrap().remove(0)
    }

    #[test]
    fn aac_is_rebuilt_as_version_0_with_its_configuration() {
        let aac = read_audio_config(&[0x12, 0x10]).unwrap();
        let audio =
            AudioEntry { channels: 2, sample_rate: 44_100, object_type: Some(0x67), aac: Some(aac), config: None };
        let entry = SampleEntry { format: FourCc(*b"mp4a"), data_reference: 3, codec: Codec::Audio(audio.clone()) };
        let description = describe(&entry).unwrap();
        assert_eq!(description.codecs, "mp4a.40.2");
        let audio = AudioEntry { object_type: Some(0x40), ..audio };
        let entry = SampleEntry { data_reference: 1, codec: Codec::Audio(audio), ..entry };
        assert_eq!(again(&description, TrackKind::Audio), entry);
    }

    #[test]
    fn hev1_becomes_hvc1_when_its_parameter_sets_are_there() {
        let mut hvcc = vec![1, 1, 0x60, 0, 0, 0, 0x90, 0, 0, 0, 0, 0, 93];
        hvcc.resize(22, 0);
        hvcc.extend([3, 32, 0, 1, 0, 1, 7, 33, 0, 1, 0, 1, 7, 34, 0, 1, 0, 2, 7, 8]);
        let entry = |hvcc: &[u8]| {
            let config = Some((FourCc(*b"hvcC"), hvcc.to_vec()));
            let colour = Some(Colour { primaries: 9, transfer: 16, matrix: 9, full_range: true });
            let video = VideoEntry { width: 64, height: 48, config, colour, ..VideoEntry::default() };
            SampleEntry { format: FourCc(*b"hev1"), data_reference: 1, codec: Codec::Video(video) }
        };
        let description = describe(&entry(&hvcc)).unwrap();
        assert_eq!(description.codecs, "hvc1.1.6.L93.90");
        let Codec::Video(video) = again(&description, TrackKind::Video).codec else { panic!("no video") };
        assert_eq!(video.colour.unwrap().transfer, 16);
        assert_eq!(video.config.unwrap().1[23], 32 | 0x80);
        // The last array is cut off.
        let open = describe(&entry(&hvcc[..hvcc.len() - 2])).unwrap();
        assert_eq!(open.codecs, "hev1.1.6.L93.90");
    }

    #[test]
    fn codecs_that_fragments_do_not_hold_are_refused() {
        let entry = |kind: &[u8; 4], codec| SampleEntry { format: FourCc(*kind), data_reference: 1, codec };
        assert!(describe(&entry(b"sowt", Codec::Audio(AudioEntry::default()))).is_err());
        assert!(describe(&entry(b"mp4v", Codec::Video(VideoEntry::default()))).is_err());
        assert!(describe(&entry(b"text", Codec::Other)).is_err());
    }
}
