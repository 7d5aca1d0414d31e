//! What parent and child say to each other.
//!
//! The parent re-executes its own binary as `<exe> __task BOUNDS` (JSON of `sandbox::Bounds`) with an empty environment and the scratch folder as working
//! directory. In it lies `request.json` (a `Request`). File descriptor 0 is the source, open for reading and seekable;
//! 1 carries one JSON `Event` per line to the parent; 2 is captured as the child's last words. Outputs are written into
//! the working directory under the fixed names of the plan. The child ends with exit status 0 after `Done` or `Failed`;
//! anything else is a crash. Before it looks at the source it shuts itself in (`sandbox`): nothing but its working directory
//! can be opened, nothing can be run or connected to, and memory, computing time and file sizes end at `BOUNDS`.

use reelgate_common::{
    file::Failure,
    media_info::{MediaInfo, Reason},
    still::StillFormat,
};
use reelgate_packager::package::Chunk;
use serde::{Deserialize, Serialize};

use super::sandbox::Walls;
use crate::plan::{AudioStep, Plan, Rung, SoundFlaw, quality::Stretch};

/// The hidden first argument under which the binary is a task.
pub const TASK_ARGUMENT: &str = "__task";
/// Name of the request in the scratch folder.
pub const REQUEST_FILE: &str = "request.json";
/// In the scratch folder: sound that was encoded for the copied rung. Written by `Remux` where rungs are to be encoded as
/// well, and read by `Encode` where the plan says `Lent`.
pub const SOUND_FILE: &str = "sound.m4a";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case")]
pub enum Request {
    /// Look at the source; it may be sparse (only the boxes outside `mdat` and the first 2 MiB of `mdat` are there).
    Probe,
    /// Make the plan's copied rung.
    Remux { media: MediaInfo, plan: Plan },
    /// Make what the plan says but `serve_source` and what is copied.
    /// With `keep_sound`, the rungs' sound is written into `SOUND_FILE` as well, also where there is no rung.
    Encode {
        media: MediaInfo,
        plan: Plan,
        threads: u32,
        #[serde(default)]
        keep_sound: bool,
    },
    /// Make the plan's rungs of one chunk, pictures alone; `timescale` is that of the chunk's times. The source may be sparse (only
    /// the index and the chunk's samples are there).
    Chunk { media: MediaInfo, plan: Plan, chunk: Chunk, timescale: u32, threads: u32 },
    /// Encode stretches of the film with the plan's rungs on trial, and tell how like it each is.
    Sample { media: MediaInfo, plan: Plan, stretches: Vec<Stretch>, threads: u32 },
    /// Put a rung together out of its chunks, and `SOUND_FILE` where there is `sound`. All lie in the working directory; there is no
    /// source.
    Assemble { rung: Rung, sound: Option<AudioStep>, pieces: Vec<Piece>, timescale: u32 },
    /// Make thumbnails of a film; it may be sparse (of each only the group of pictures around its time is there).
    Stills { orders: Vec<StillOrder> },
    /// Look at a finished output as a player would, before it is published.
    /// Short outputs are decoded whole in any case. What is among `proven` (of `Looked`) need not be decoded again.
    Verify {
        whole: bool,
        threads: u32,
        #[serde(default)]
        proven: Vec<String>,
    },
    /// Decode excerpts of outputs that are still being made. They lie in the working directory; there is no source.
    Look { excerpts: Vec<String> },
    /// Try what a task that was taken over would try. Knows of one file outside its folder, `../canary`.
    Trial,
}

impl Request {
    /// A closed set, for traces.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Probe => "task probe",
            Self::Remux { .. } => "task remux",
            Self::Encode { .. } => "task encode",
            Self::Chunk { .. } => "task chunk",
            Self::Sample { .. } => "task sample",
            Self::Assemble { .. } => "task assemble",
            Self::Stills { .. } => "task stills",
            Self::Verify { .. } => "task verify",
            Self::Look { .. } => "task look",
            Self::Trial => "task trial",
        }
    }
}

/// A rung's chunk, as a file in the scratch folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    pub file: String,
    /// When its first picture is shown, in units of the request's timescale.
    pub from: i64,
    /// When the picture decoded last has been shown, counted from there.
    pub end: i64,
}

/// Where an excerpt of the output `name` lies in the scratch folder.
#[must_use]
pub fn excerpt_file(name: &str, number: u32) -> String {
    format!("{name}.excerpt-{number}.mp4")
}

/// One thumbnail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StillOrder {
    /// File in the scratch folder, and the name in answers.
    pub file: String,
    pub time_ms: u64,
    /// A narrower film stays as it is.
    pub width: u32,
    pub format: StillFormat,
}

/// One line from the child. The parent trusts none of its numbers without looking.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "a handful exist at a time")]
pub enum Event {
    /// Answer to `Probe` and to `Verify`; `web_safe`, `segment_safe` and `reasons` are left for the parent to fill.
    Probed {
        media: MediaInfo,
    },
    /// Answer to `Trial`.
    Tried(Trial),
    /// 0.0 to 1.0 of the whole request.
    Progress {
        fraction: f64,
    },
    /// What became of sound that was to be copied if it goes on without a gap. Told before any output.
    Settled {
        /// The plan's.
        audio: String,
        /// Why it is encoded; else it is copied.
        flaw: Option<SoundFlaw>,
    },
    /// For the timeline; means nothing else.
    Reached {
        moment: Moment,
    },
    /// An output is complete and closed.
    Output(Output),
    /// A further excerpt of an output under way is complete and closed: `excerpt_file`.
    Excerpt {
        name: String,
        number: u32,
    },
    /// Answer to `Sample`, for each rung in each stretch: sums over `compared` pictures of how like they are (1: the same) at the
    /// rung's size and the largest rung's, and what its packets take.
    Measured {
        name: String,
        compared: u32,
        own: f64,
        shown: f64,
        bytes: u64,
        millis: u64,
    },
    /// Answer to `Look`, for each excerpt that decodes: what tells its packets from all others.
    Looked {
        excerpt: String,
        proven: Vec<String>,
    },
    /// One output cannot be made; the others go on.
    Refused {
        name: String,
        failure: Failure,
    },
    /// Something is wrong with the source, although something could be made of it.
    Warned {
        reason: Reason,
    },
    /// The request cannot be fulfilled.
    Failed {
        failure: Failure,
    },
    Done,
}

/// What is worth a line in an attempt's timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// It is shut in.
    Begun,
    Opened,
    FirstPicture,
    LastPicture,
    /// Images and captions are made.
    Extras,
}

impl Event {
    /// In the timeline; nothing for what comes all the time.
    pub(crate) fn word(&self) -> Option<String> {
        Some(match self {
            Self::Reached { moment } => match moment {
                Moment::Begun => "begun".to_owned(),
                Moment::Opened => "opened".to_owned(),
                Moment::FirstPicture => "first picture".to_owned(),
                Moment::LastPicture => "last picture".to_owned(),
                Moment::Extras => "extras made".to_owned(),
            },
            Self::Output(output) => format!("made {}", output.name.chars().take(32).collect::<String>()),
            Self::Excerpt { name, .. } => format!("excerpt of {}", name.chars().take(32).collect::<String>()),
            Self::Probed { .. } | Self::Looked { .. } => "looked".to_owned(),
            Self::Done | Self::Failed { .. } => "done".to_owned(),
            Self::Settled { .. }
            | Self::Progress { .. }
            | Self::Tried(_)
            | Self::Measured { .. }
            | Self::Refused { .. }
            | Self::Warned { .. } => return None,
        })
    }
}

/// How the sandbox held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    pub walls: Walls,
    pub attempts: Vec<Attempt>,
}

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// In words: `read a file outside`.
    pub what: String,
    /// Whether it must be refused; what a task needs must work.
    pub forbidden: bool,
    pub refused: bool,
    /// What the system said.
    pub said: String,
}

impl Attempt {
    #[must_use]
    pub fn as_it_should(&self) -> bool {
        self.forbidden == self.refused
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// The plan's name: `720p`, `audio`, `poster`.
    pub name: String,
    /// File in the scratch folder: `720p.mp4`, `audio.m4a`, `poster.jpg`.
    pub file: String,
    pub width: Option<u32>,
    pub height: Option<u32>,
    pub duration_ms: Option<u64>,
    /// When its first picture is shown.
    #[serde(default)]
    pub begins_ms: Option<u64>,
    /// RFC 6381, e.g. `avc1.64001f,mp4a.40.2`.
    pub codecs: Option<String>,
}
