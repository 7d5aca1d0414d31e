//! Which sizes to encode: the source's own, and the boxes of the policy clearly below it.

use reelgate_common::media_info::{MediaInfo, VideoInfo};

use super::{Choice, FrameRate, LadderPolicy, Rung, VideoCodec, VideoStep};

/// A rung must be at most this share of the top one's height, else it is not worth its bytes.
const CLEARLY_BELOW: (u64, u64) = (85, 100);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Size {
    width: u32,
    height: u32,
}

/// The planned rungs, highest first, of one size H.264 first.
pub(super) fn rungs(
    media: &MediaInfo,
    video: &VideoInfo,
    policy: &LadderPolicy,
    reasons: &mut Vec<Choice>,
) -> Vec<Rung> {
    let source = Size { width: video.width.max(1), height: video.height.max(1) };
    let top = own_size(source, policy);
    let mut sizes = Vec::new();
    let mut copied = None;
    if media.segment_safe {
        reasons.push(Choice::new("no rung at the source's size", "the source is segment-safe and its own top rung"));
    } else if video.copyable && fits(source, policy) && !becomes_constant(video, policy) {
        let name = top_name(source, policy);
        reasons.push(Choice::new(&name, "the video is copied: it can be cut as it is, only what is around it cannot"));
        copied = Some((name.clone(), source));
        sizes.push((name, source));
    } else {
        let why =
            if source == top { "the source's own size" } else { "the source's size, even and within the highest box" };
        let name = top_name(top, policy);
        reasons.push(Choice::new(&name, why));
        sizes.push((name, top));
    }
    for &lines in &policy.rungs {
        let size = fit(source, lines);
        let name = format!("{lines}p");
        if !clearly_below(size, top) || sizes.iter().any(|(taken, _)| *taken == name) {
            continue;
        }
        reasons.push(Choice::new(
            &name,
            format!("{}x{} is clearly below {}x{}", size.width, size.height, top.width, top.height),
        ));
        sizes.push((name, size));
    }
    let audio = !media.audio.is_empty();
    let rung = |(name, size): (String, Size)| {
        let video = if copied.as_ref().is_some_and(|(copied, _)| *copied == name) {
            VideoStep::Copy
        } else {
            encoded(VideoCodec::H264, size, policy)
        };
        Rung { name, width: size.width, height: size.height, video, audio }
    };
    sizes.into_iter().map(rung).flat_map(|rung| also_in(&rung, policy)).collect()
}

/// The rung, and the same in the policy's further codecs.
fn also_in(rung: &Rung, policy: &LadderPolicy) -> Vec<Rung> {
    let size = Size { width: even_below(rung.width.into()), height: even_below(rung.height.into()) };
    let further = policy.codecs.iter().filter(|codec| **codec != VideoCodec::H264).map(|&codec| Rung {
        name: format!("{}-{}", rung.name, codec.word()),
        width: size.width,
        height: size.height,
        video: encoded(codec, size, policy),
        audio: rung.audio,
    });
    std::iter::once(rung.clone()).chain(further).collect()
}

fn encoded(codec: VideoCodec, size: Size, policy: &LadderPolicy) -> VideoStep {
    VideoStep::Encode {
        codec,
        crf: policy.crf,
        max_bitrate: policy.cap(size.width, size.height),
        preset: policy.preset.clone(),
    }
}

/// Whether pictures are moved, left out or repeated.
fn becomes_constant(video: &VideoInfo, policy: &LadderPolicy) -> bool {
    video.variable_frame_rate && policy.frame_rate == FrameRate::Constant
}

/// Whether no side is above the highest box.
fn fits(source: Size, policy: &LadderPolicy) -> bool {
    let Size { width, height } = own_size(source, policy);
    source.width - width < 2 && source.height - height < 2
}

/// The source's display size, even and never above the highest box.
fn own_size(source: Size, policy: &LadderPolicy) -> Size {
    let highest = policy.rungs.iter().copied().max().unwrap_or(2160);
    fit(source, highest)
}

/// The largest even size of the source's shape in the box `lines * 16/9` by `lines`, turned for portrait, and never above
/// the source.
fn fit(source: Size, lines: u32) -> Size {
    let (long, short) = ((u64::from(lines) * 16).div_ceil(9), u64::from(lines));
    let (box_width, box_height) = if source.height > source.width { (short, long) } else { (long, short) };
    let (width, height) = (u64::from(source.width), u64::from(source.height));
    if width <= box_width && height <= box_height {
        return Size { width: even_below(width), height: even_below(height) };
    }
    // The side that touches the box decides; the other follows the aspect to the nearest even number.
    if width * box_height >= height * box_width {
        Size { width: even_below(box_width), height: even_near(height * box_width, width) }
    } else {
        Size { width: even_near(width * box_height, height), height: even_below(box_height) }
    }
}

fn even_below(value: u64) -> u32 {
    u32::try_from((value & !1).max(2)).unwrap_or(2)
}

/// `dividend / divisor` to the nearest even number, at least 2.
fn even_near(dividend: u64, divisor: u64) -> u32 {
    let halves = (dividend + divisor) / (2 * divisor);
    u32::try_from((halves * 2).max(2)).unwrap_or(2)
}

fn clearly_below(size: Size, top: Size) -> bool {
    u64::from(size.height) * CLEARLY_BELOW.1 <= u64::from(top.height) * CLEARLY_BELOW.0
}

/// A top rung is called after the box it fills, else after its short side.
fn top_name(top: Size, policy: &LadderPolicy) -> String {
    let (long, short) = (top.width.max(top.height), top.width.min(top.height));
    let class = policy.rungs.iter().copied().find(|&lines| {
        let box_long = lines * 16 / 9;
        short == lines || (short <= lines && long.abs_diff(box_long) <= 1)
    });
    format!("{}p", class.unwrap_or(short))
}

#[cfg(test)]
mod tests {
    use reelgate_common::grid::SegmentGrid;

    use super::{super::plan, *};

    fn media(width: u32, height: u32) -> MediaInfo {
        let video = VideoInfo {
            codec: "vp9".to_owned(),
            coded_width: width,
            coded_height: height,
            width,
            height,
            frame_rate: (30, 1),
            average_frame_rate: (30, 1),
            ..VideoInfo::default()
        };
        MediaInfo {
            container: "matroska".to_owned(),
            duration_ms: 10_000,
            bitrate: 1,
            video: Some(video),
            ..MediaInfo::default()
        }
    }

    fn ladder_of(media: &MediaInfo) -> Vec<(String, u32, u32)> {
        let grid = SegmentGrid::Regular { period_ms: 2000 };
        let plan = plan(media, grid, &LadderPolicy::default());
        plan.rungs.into_iter().map(|rung| (rung.name, rung.width, rung.height)).collect()
    }

    fn sizes(width: u32, height: u32) -> Vec<(String, u32, u32)> {
        ladder_of(&media(width, height))
    }

    fn expected(list: &[(&str, u32, u32)]) -> Vec<(String, u32, u32)> {
        list.iter().map(|&(name, width, height)| (name.to_owned(), width, height)).collect()
    }

    #[test]
    fn a_full_hd_source_gets_its_own_size_and_all_boxes_below() {
        let ladder = [("1080p", 1920, 1080), ("720p", 1280, 720), ("480p", 854, 480), ("360p", 640, 360)];
        assert_eq!(sizes(1920, 1080), expected(&ladder));
    }

    #[test]
    fn a_portrait_source_fits_into_turned_boxes() {
        let ladder = [("1080p", 1080, 1916), ("720p", 720, 1278), ("480p", 480, 852), ("360p", 360, 638)];
        assert_eq!(sizes(1080, 1916), expected(&ladder));
    }

    #[test]
    fn a_cinema_source_is_named_by_the_box_it_fills() {
        let ladder = [("1080p", 1920, 804), ("720p", 1280, 536), ("480p", 854, 358), ("360p", 640, 268)];
        assert_eq!(sizes(1920, 804), expected(&ladder));
    }

    #[test]
    fn a_source_above_the_highest_box_is_brought_down_to_it() {
        assert_eq!(sizes(7680, 4320)[0], ("2160p".to_owned(), 3840, 2160));
        assert_eq!(sizes(4096, 4096)[0], ("2160p".to_owned(), 2160, 2160));
    }

    #[test]
    fn a_screen_recording_of_odd_shape_keeps_its_size_and_its_aspect() {
        let ladder = sizes(3026, 1386);
        assert_eq!(ladder[0], ("1386p".to_owned(), 3026, 1386));
        assert_eq!(ladder[1], ("1440p".to_owned(), 2560, 1172));
        assert_eq!(ladder[2], ("1080p".to_owned(), 1920, 880));
    }

    #[test]
    fn odd_and_tiny_sources_get_one_even_rung() {
        assert_eq!(sizes(161, 121), expected(&[("120p", 160, 120)]));
        assert_eq!(sizes(16, 16), expected(&[("16p", 16, 16)]));
        assert_eq!(sizes(1, 1), expected(&[("2p", 2, 2)]));
    }

    #[test]
    fn a_rung_hardly_below_the_top_is_left_out() {
        assert_eq!(sizes(854, 480), expected(&[("480p", 854, 480), ("360p", 640, 360)]));
        assert_eq!(sizes(704, 400), expected(&[("400p", 704, 400)]));
    }

    #[test]
    fn wide_pixels_widen_the_rung() {
        assert_eq!(sizes(1280, 360), expected(&[("720p", 1280, 360), ("480p", 854, 240), ("360p", 640, 180)]));
    }

    #[test]
    fn a_copyable_track_is_the_top_rung_as_it_is() {
        let mut media = media(853, 479);
        media.video.as_mut().unwrap().copyable = true;
        let plan = plan(&media, SegmentGrid::Regular { period_ms: 2000 }, &LadderPolicy::default());
        assert_eq!(ladder_of(&media), expected(&[("480p", 853, 479), ("360p", 640, 360)]));
        assert_eq!(plan.remuxed().map(|rung| rung.name.as_str()), Some("480p"));
        assert!(matches!(plan.rungs[1].video, VideoStep::Encode { .. }));
    }

    #[test]
    fn a_copyable_track_above_the_highest_box_is_encoded() {
        let mut media = media(7680, 4320);
        media.video.as_mut().unwrap().copyable = true;
        let plan = plan(&media, SegmentGrid::Regular { period_ms: 2000 }, &LadderPolicy::default());
        assert_eq!(plan.remuxed(), None);
    }

    #[test]
    fn further_codecs_get_each_size_after_h264() {
        let policy = LadderPolicy { codecs: vec![VideoCodec::Hevc, VideoCodec::Av1], ..LadderPolicy::default() };
        let plan = plan(&media(854, 480), SegmentGrid::Regular { period_ms: 2000 }, &policy);
        let names: Vec<_> = plan.rungs.iter().map(|rung| rung.name.as_str()).collect();
        assert_eq!(names, ["480p", "480p-hevc", "480p-av1", "360p", "360p-hevc", "360p-av1"]);
        assert_eq!([0, 1, 2].map(|at| plan.rank(&plan.rungs[at])), [480, 0, 0]);
    }

    #[test]
    fn a_segment_safe_source_has_no_rung_at_its_own_size() {
        let mut media = media(1280, 720);
        media.web_safe = true;
        media.segment_safe = true;
        assert_eq!(ladder_of(&media), expected(&[("480p", 854, 480), ("360p", 640, 360)]));
    }

    #[test]
    fn a_web_safe_source_that_cannot_be_cut_gets_a_rung_at_its_own_size() {
        let mut media = media(640, 360);
        media.web_safe = true;
        let plan = plan(&media, SegmentGrid::Regular { period_ms: 2000 }, &LadderPolicy::default());
        assert!(plan.serve_source);
        assert_eq!(plan.rungs.len(), 1);
    }

    #[test]
    fn names_are_unique_and_sizes_even_and_never_above_the_source() {
        for width in (2..4200).step_by(37) {
            for height in (2..2400).step_by(41) {
                let ladder = sizes(width, height);
                let mut names: Vec<_> = ladder.iter().map(|rung| &rung.0).collect();
                names.sort();
                names.dedup();
                assert_eq!(names.len(), ladder.len(), "{width}x{height}: {ladder:?}");
                for (name, w, h) in &ladder {
                    assert!(
                        w % 2 == 0 && h % 2 == 0 && *w <= width && *h <= height,
                        "{width}x{height} {name}: {w}x{h}"
                    );
                }
            }
        }
    }
}
