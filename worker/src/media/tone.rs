//! From high dynamic range and wide gamut to the BT.709 that every player shows right: which filters that takes. Pure, but for
//! the look at a frame's own word about its brightest light.

use ffmpeg_next::frame::{self, side_data::Type};

use super::color::ColorTags;

/// Nits that become SDR's 1.0 before the highlights are rolled off: the diffuse white of ITU-R BT.2408.
const WHITE: f64 = 203.0;
/// Nits of the brightest light when nothing is said: what HDR10 is graded for as a rule, and HLG's nominal display.
const USUAL_PEAK: f64 = 1_000.0;
/// Below this there are no highlights to save; above it none are ever graded.
const PEAKS: (f64, f64) = (1.2 * WHITE, 10_000.0);
/// Of SDR's range what is passed as it is; above it a rational curve reaches 1.0 at the peak. With this knee diffuse white
/// comes out at 89 % of the signal, as BT.2390's curve has it (90 %).
const KNEE: f64 = 0.45;

/// The filters for frames that carry `tags` themselves, at their final size; `peak` is what `brightest` says.
pub(super) fn to_sdr(tags: ColorTags, peak: Option<f64>) -> String {
    if !tags.is_hdr() {
        return "zscale=t=bt709:p=bt709:m=bt709:r=tv,format=yuv420p".to_owned();
    }
    let peak = peak.unwrap_or(USUAL_PEAK).clamp(PEAKS.0, PEAKS.1) / WHITE;
    // In linear light, by the brightest of the three components, so that hues stay.
    format!(
        "zscale=t=linear:npl={WHITE},format=gbrpf32le,zscale=p=bt709,\
         tonemap=tonemap=mobius:param={KNEE}:desat=0:peak={peak:.3},zscale=t=bt709:m=bt709:r=tv,format=yuv420p"
    )
}

/// The brightest light in nits: of the content, else of the display it was graded on. `None` when the stream does not say.
pub(super) fn brightest(frame: &frame::Video) -> Option<f64> {
    let of = |kind, read: fn(&[u8]) -> Option<f64>| frame.side_data(kind).and_then(|side| read(side.data()));
    of(Type::ContentLightLevel, content_light).or_else(|| of(Type::MasteringDisplayMetadata, mastering_display))
}

/// `AVContentLightMetadata`: two unsigned numbers, the first MaxCLL.
fn content_light(bytes: &[u8]) -> Option<f64> {
    let max = u32::from_ne_bytes(*bytes.first_chunk()?);
    (max > 0).then(|| f64::from(max))
}

/// `AVMasteringDisplayMetadata`: eight fractions of chromaticity, the least and the greatest luminance as fractions, and two
/// flags of which the second says that the luminances count.
fn mastering_display(bytes: &[u8]) -> Option<f64> {
    let number = |at: usize| Some(i32::from_ne_bytes(*bytes.get(at..at + 4)?.first_chunk()?));
    let (num, den, known) = (number(72)?, number(76)?, number(84)?);
    (known != 0 && num > 0 && den > 0).then(|| f64::from(num) / f64::from(den))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PQ: ColorTags = ColorTags { primaries: 9, transfer: 16, matrix: 9, full_range: false };

    #[test]
    fn the_peak_is_bounded_and_relative_to_diffuse_white() {
        assert!(to_sdr(PQ, None).contains("peak=4.926,"));
        assert!(to_sdr(PQ, Some(4_000.0)).contains("peak=19.704,"));
        assert!(to_sdr(PQ, Some(1.0)).contains("peak=1.200,"));
        assert!(to_sdr(PQ, Some(4e9)).contains("peak=49.261,"));
    }

    #[test]
    fn a_wide_gamut_alone_is_narrowed_without_a_curve() {
        let wide = to_sdr(ColorTags { transfer: 14, ..PQ }, None);
        assert!(!wide.contains("tonemap") && wide.contains("p=bt709"), "{wide}");
    }

    #[test]
    fn the_words_about_light_are_read_or_ignored() {
        assert_eq!(content_light(&[232, 3, 0, 0, 144, 1, 0, 0]), Some(1_000.0));
        assert_eq!(content_light(&[0; 8]), None);
        assert_eq!(content_light(&[1]), None);
        let mut display = [0; 88];
        display[72..76].copy_from_slice(&40_000_000_i32.to_ne_bytes());
        display[76..80].copy_from_slice(&10_000_i32.to_ne_bytes());
        assert_eq!(mastering_display(&display), None);
        display[84] = 1;
        assert_eq!(mastering_display(&display), Some(4_000.0));
        assert_eq!(mastering_display(&display[..80]), None);
    }
}
