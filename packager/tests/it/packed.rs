//! A packaged clip laid into a folder as any web server would serve it, and what the ffmpeg program makes of it.

use std::{
    collections::BTreeMap,
    fmt::Write,
    fs::{self, File},
    ops::Range,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
};

use reelgate_packager::{
    FourCc, Movie, Mp4Error, TopBox, TopWalk,
    package::{Built, Kind, SegmentEntry, SegmentPiece, TrackSummary, build, init_segment, media_segment},
    parse_movie, segment_grid_points, shown_video,
};

/// A file that is read by ranges, since it may be sparse and larger than memory.
pub(crate) struct Plain {
    file: File,
    pub(crate) size: u64,
    boxes: Vec<TopBox>,
}

impl Plain {
    pub(crate) fn open(path: &Path) -> Result<Self, Mp4Error> {
        let file = File::open(path).unwrap();
        let size = file.metadata().unwrap().len();
        let mut walk = TopWalk::new(size);
        while let Some(offset) = walk.wanted() {
            walk.feed(&read(&file, offset..(offset + TopWalk::HEADER_BYTES).min(size)))?;
        }
        Ok(Self { file, size, boxes: walk.into_boxes() })
    }

    pub(crate) fn read(&self, range: Range<u64>) -> Vec<u8> {
        read(&self.file, range)
    }

    pub(crate) fn movie(&self) -> Result<Movie, Mp4Error> {
        let moov = self.boxes.iter().find(|top| top.kind == FourCc(*b"moov"));
        parse_movie(&moov.map_or(Vec::new(), |moov| self.read(moov.offset..moov.end())))
    }
}

fn read(file: &File, range: Range<u64>) -> Vec<u8> {
    let mut bytes = vec![0; (range.end - range.start) as usize];
    file.read_exact_at(&mut bytes, range.start).unwrap();
    bytes
}

/// Packages with the grid a segment-safe source has, or none where there is no video.
pub(crate) fn pack(movie: &Movie) -> Result<Built, Mp4Error> {
    let (timescale, grid) = match shown_video(movie) {
        Some(video) => segment_grid_points(video)?,
        None => (1, Vec::new()),
    };
    build(movie, &grid, timescale)
}

pub(crate) fn table(built: &Built, track: &TrackSummary) -> Vec<SegmentEntry> {
    let range = track.table_range();
    TrackSummary::read_table(&built.object[range.start as usize..range.end as usize])
}

/// The bytes of a segment, read by the two ranges a server reads.
pub(crate) fn segment(built: &Built, track: &TrackSummary, n: u32, media: &Plain) -> Vec<u8> {
    let entry = track.entry_range(n).unwrap();
    let entry = TrackSummary::read_table(&built.object[entry.start as usize..entry.end as usize]).remove(0);
    let record = &built.object[entry.record.start as usize..entry.record.end as usize];
    let mut bytes = Vec::new();
    for piece in media_segment(track, n, &entry, record).unwrap().pieces {
        match piece {
            SegmentPiece::Inline(inline) => bytes.extend(inline),
            SegmentPiece::Media(range) => bytes.extend(media.read(range)),
        }
    }
    assert_eq!(bytes.len(), entry.size as usize, "segment {n}");
    bytes
}

/// Writes init, segments and a media playlist per track, and a master playlist, whose path is returned.
pub(crate) fn lay_out(folder: &Path, file: &Plain, built: &Built) -> PathBuf {
    let mut master = "#EXTM3U\n#EXT-X-VERSION:7\n".to_owned();
    let mut codecs = Vec::new();
    for track in &built.summary.tracks {
        let id = track.id;
        fs::write(folder.join(format!("init{id}.mp4")), init_segment(track)).unwrap();
        let target = built.summary.target_duration;
        let mut playlist =
            format!("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{target}\n#EXT-X-PLAYLIST-TYPE:VOD\n");
        writeln!(playlist, "#EXT-X-MAP:URI=\"init{id}.mp4\"").unwrap();
        for (n, entry) in table(built, track).iter().enumerate() {
            let seconds = f64::from(entry.duration) / f64::from(track.timescale);
            writeln!(playlist, "#EXTINF:{seconds:.6},\n{id}-{n}.m4s").unwrap();
            let bytes = segment(built, track, n as u32, file);
            fs::write(folder.join(format!("{id}-{n}.m4s")), bytes).unwrap();
        }
        playlist.push_str("#EXT-X-ENDLIST\n");
        fs::write(folder.join(format!("{id}.m3u8")), playlist).unwrap();
        codecs.push(track.codecs.clone());
    }
    let tracks = &built.summary.tracks;
    for track in tracks.iter().filter(|track| track.kind == Kind::Audio) {
        let default = if track.is_default { "YES" } else { "NO" };
        let id = track.id;
        writeln!(
            master,
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"{id}\",DEFAULT={default},AUTOSELECT=YES,URI=\"{id}.m3u8\""
        )
        .unwrap();
    }
    let audio = if tracks.iter().any(|track| track.kind == Kind::Audio) { ",AUDIO=\"a\"" } else { "" };
    let bandwidth: u64 = tracks.iter().map(|track| track.peak_bandwidth).sum();
    let codecs = codecs.join(",");
    let first = tracks[0].id;
    writeln!(master, "#EXT-X-STREAM-INF:BANDWIDTH={bandwidth},CODECS=\"{codecs}\"{audio}\n{first}.m3u8").unwrap();
    let path = folder.join("master.m3u8");
    fs::write(&path, master).unwrap();
    path
}

/// One decoded frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    /// Presentation time in microseconds.
    pub(crate) time: i64,
    pub(crate) hash: String,
}

fn ffmpeg(input: &Path, arguments: &[&str]) -> Vec<u8> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-copyts", "-i"]).arg(input).args(arguments).arg("-");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}: {}", input.display(), String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The frames of a video stream (`0:v:0`, `0:i:1`), with times as they are.
pub(crate) fn frames(input: &Path, map: &str) -> Vec<Shown> {
    let text = ffmpeg(input, &["-map", map, "-vsync", "0", "-enc_time_base", "-1", "-f", "framemd5"]);
    let text = String::from_utf8(text).unwrap();
    let mut tick = (1, 1);
    let mut shown = Vec::new();
    for line in text.lines() {
        if let Some(base) = line.strip_prefix("#tb 0: ") {
            let (num, den) = base.split_once('/').unwrap();
            tick = (num.trim().parse().unwrap(), den.trim().parse().unwrap());
        }
        if line.starts_with('#') {
            continue;
        }
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let pts: i64 = fields[2].parse().unwrap();
        shown.push(Shown {
            time: (pts * 1_000_000 * tick.0 + tick.1 / 2).div_euclid(tick.1),
            hash: fields[5].to_owned(),
        });
    }
    shown
}

/// Decoded sound: when its first sample is heard, in samples, and the samples of all channels, interleaved.
pub(crate) struct Heard {
    pub(crate) first: i64,
    pub(crate) channels: usize,
    pub(crate) samples: Vec<i16>,
}

impl Heard {
    /// What is heard from one sample to another, on the presentation's clock.
    pub(crate) fn between(&self, from: i64, to: i64) -> &[i16] {
        let place = |time: i64| (time - self.first) as usize * self.channels;
        &self.samples[place(from)..place(to)]
    }

    pub(crate) fn end(&self) -> i64 {
        self.first + (self.samples.len() / self.channels) as i64
    }
}

pub(crate) fn sound(input: &Path, map: &str, rate: u32, channels: u32) -> Heard {
    let times = frames(input, map);
    let first = (times[0].time * i64::from(rate) + 500_000).div_euclid(1_000_000);
    let pcm = ffmpeg(input, &["-map", map, "-c:a", "pcm_s16le", "-f", "s16le"]);
    let samples = pcm.as_chunks::<2>().0.iter().map(|bytes| i16::from_le_bytes(*bytes)).collect();
    Heard { first, channels: channels as usize, samples }
}

/// Size of every segment and of what of the index it needs.
pub(crate) fn index_bytes(built: &Built) -> BTreeMap<(u32, usize), u64> {
    let mut read = BTreeMap::new();
    for track in &built.summary.tracks {
        for (n, entry) in table(built, track).iter().enumerate() {
            let range = track.entry_range(n as u32).unwrap();
            read.insert((track.id, n), range.end - range.start + entry.record.end - entry.record.start);
        }
    }
    read
}
