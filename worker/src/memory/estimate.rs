//! How much memory an encoding task takes: a pure function of what was found, what is planned and the task's threads. The
//! figures were fitted to what tasks had at most (VmData) over the corpus, from 120p to 2160p with 1 and 4 threads, and lie
//! above all of them; `docs/sandbox.md` has the table.

use reelgate_common::media_info::{MediaInfo, VideoInfo};

use crate::plan::{Plan, Rung, VideoCodec, VideoStep};

const MIB: u64 = 1 << 20;
/// The program, libav, readers and writers.
const BASE: u64 = 96 * MIB;
/// A thread's stack counts whole, touched or not.
const STACK: u64 = 8 * MIB;
/// Threads beside those of decoder and encoders: for each rung its own, the look-ahead, the scaler.
const HELPERS: u64 = 3;
/// A decoder's pictures: what H.264 and HEVC let a stream refer to, and those on their way.
const REFERENCES: u64 = 20;
/// Pictures of source size in filters; of these tone mapping keeps some in floating point.
const FILTERED: u64 = 4;
const FLOAT_BYTES: u64 = 12;
/// Pictures of a rung's size: in queues, and in x264 with what it computes for each.
const QUEUED: u64 = 48;
const PER_THREAD: u64 = 16;
/// One picture of four is kept until it is compared; no encoder holds back more than 64 here.
const HELD: u64 = 20;
/// In a comparison, scaled ones among them.
const COMPARED: u64 = 8;
/// What a muxer keeps of each picture and each piece of sound until it writes its index, and a demuxer of those that it has seen.
const INDEXED: u64 = 100;
/// Pieces of sound a second: 48,000 samples by 1,024.
const SOUNDS: u64 = 47;
/// Pictures a second where nobody says, and how many are believed.
const LIKELY_RATE: u64 = 60;
const MOST_RATE: u64 = 240;
/// What is kept ready beside the estimate before the kernel says no: a quarter.
const HEADROOM: (u64, u64) = (5, 4);

/// The most that the task is allowed to take, in bytes.
pub(crate) fn needed(media: &MediaInfo, plan: &Plan, threads: u32) -> u64 {
    let video = media.video.as_ref().map_or(0, |video| source(video, threads) + encoders(plan, threads));
    (BASE + video + indexes(media, plan)) / HEADROOM.1 * HEADROOM.0
}

/// What a search for quality takes beside encoding: pictures that wait until their packets come out of an encoder and out of a
/// decoder, and those that are being compared.
pub(crate) fn measuring(plan: &Plan) -> u64 {
    let top = plan.rungs.first().map_or(0, pixels);
    let of = |rung: &Rung| pixels(rung) * 3 / 2 * (HELD + REFERENCES) + top * 3 / 2 * COMPARED + STACK * HELPERS;
    top * 3 / 2 * HELD + plan.rungs.iter().map(of).sum::<u64>()
}

/// Of the source and of each file that is made. A matter of hours: ten of them are two million pieces of sound.
fn indexes(media: &MediaInfo, plan: &Plan) -> u64 {
    let seconds = media.duration_ms / 1000;
    let rate = media.video.as_ref().map_or(0, |video| match video.average_frame_rate {
        (0, _) | (_, 0) => LIKELY_RATE,
        (frames, seconds) => u64::from(frames.div_ceil(seconds)).min(MOST_RATE),
    });
    let alone = plan.audio_only().count() as u64;
    let files = 1 + plan.rungs.len() as u64;
    seconds.saturating_mul((rate + SOUNDS) * files + SOUNDS * alone).saturating_mul(INDEXED)
}

/// Decoding and filtering.
fn source(video: &VideoInfo, threads: u32) -> u64 {
    let pixels = u64::from(video.coded_width) * u64::from(video.coded_height);
    let deep = video.bit_depth > 8 || video.hdr.is_some();
    let float = if deep { FLOAT_BYTES * pixels } else { 0 };
    let picture = pixels * halves(&video.chroma) / 2 * if deep { 2 } else { 1 };
    let threads = u64::from(threads);
    picture * (REFERENCES + threads) + FILTERED * (picture + float) + STACK * (threads + HELPERS)
}

/// Half bytes of an 8-bit pixel.
fn halves(chroma: &str) -> u64 {
    match chroma {
        "4:4:4" => 6,
        "4:2:2" | "4:4:0" => 4,
        "4:0:0" => 2,
        _ => 3,
    }
}

fn encoders(plan: &Plan, threads: u32) -> u64 {
    let all: u64 = plan.rungs.iter().map(pixels).sum::<u64>().max(1);
    // As they are shared out: by pixels, half as many again as cores.
    let share = |rung: &Rung| (u64::from(threads) * 3 * pixels(rung)).div_ceil(all * 2).max(1);
    plan.rungs.iter().map(|rung| encoder(rung, share(rung))).sum()
}

fn encoder(rung: &Rung, threads: u64) -> u64 {
    let VideoStep::Encode { codec, preset, .. } = &rung.video else { return 0 };
    let pictures = (QUEUED + look_ahead(preset) + PER_THREAD * threads) * weight(*codec);
    pixels(rung) * 3 / 2 * pictures + STACK * (threads + HELPERS)
}

/// x264's look-ahead in pictures, with the smaller copies that it looks at.
fn look_ahead(preset: &str) -> u64 {
    match preset {
        "ultrafast" | "superfast" => 0,
        "veryfast" => 15,
        "faster" => 30,
        "fast" => 45,
        "medium" => 60,
        "slow" => 75,
        _ => 100,
    }
}

/// Other encoders, in x264s: each as measured beside H.264 in the default ladder, with one thread and with four.
fn weight(codec: VideoCodec) -> u64 {
    match codec {
        VideoCodec::H264 => 1,
        VideoCodec::Hevc | VideoCodec::Vp9 | VideoCodec::Av1 => 2,
    }
}

fn pixels(rung: &Rung) -> u64 {
    u64::from(rung.width) * u64::from(rung.height)
}

#[cfg(test)]
mod tests {
    use reelgate_common::{grid::SegmentGrid, media_info::AudioInfo};

    use super::*;
    use crate::plan::{LadderPolicy, plan};

    #[test]
    fn long_sound_has_room_for_its_index() {
        let needed = |seconds: u64| {
            let audio = vec![AudioInfo { channels: 1, ..AudioInfo::default() }];
            let media = MediaInfo { audio, duration_ms: seconds * 1000, ..MediaInfo::default() };
            let plan = plan(&media, SegmentGrid::Regular { period_ms: 2000 }, &LadderPolicy::default());
            needed(&media, &plan, 4)
        };
        // It died with 150 MB at seven hours, of which 100 were the muxer's index.
        assert!(needed(36_000) > 400 * MIB, "{}", needed(36_000));
        assert!(needed(60) < 121 * MIB, "a short one takes what it took");
    }
}
