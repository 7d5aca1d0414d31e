//! What runs inside a task's process: one request, libav's work, events on standard output. Knows no job, no address and
//! no credential; a panic or an abort of libav here is a crash that the parent sees.

use std::{
    fs::{self, File},
    os::fd::{AsFd, BorrowedFd},
    process::ExitCode,
};

use reelgate_common::file::Failure;

use super::{
    protocol::{Event, Moment, REQUEST_FILE, Request},
    reporter::Reporter,
    sandbox::{self, Bounds, Walls},
    trial,
};
use crate::media::{self, Likeness, MediaError, Report, Source};

/// Runs the request of the working directory. Success means that the parent was told how it ended, well or badly.
#[must_use]
pub fn main() -> ExitCode {
    let reporter = Reporter::to_stdout();
    let outcome = shut_in().and_then(|walls| run(&reporter, walls));
    let told = match outcome {
        Ok(()) => reporter.send(&Event::Done),
        Err(failure) => reporter.send(&Event::Failed { failure }),
    };
    if told.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Before anything else: no thread has started yet, and libav has seen nothing.
fn shut_in() -> Result<(Bounds, Walls), Failure> {
    let bounds = bounds()?;
    let walls = sandbox::enter(&bounds).map_err(|error| Failure {
        code: "sandbox_missing".to_owned(),
        message: format!("The worker's system cannot shut a task in ({error})."),
        retryable: true,
    })?;
    Ok((bounds, walls))
}

/// The second argument; without one, what a task gets when nobody says otherwise.
fn bounds() -> Result<Bounds, Failure> {
    match std::env::args().nth(2) {
        Some(text) => {
            serde_json::from_str(&text).map_err(|error| bad(format!("The task's bounds are malformed: {error}.")))
        }
        None => Ok(Bounds::default()),
    }
}

fn run(reporter: &Reporter, (bounds, walls): (Bounds, Walls)) -> Result<(), Failure> {
    let request = read_request()?;
    let done = match request {
        Request::Trial => tell(reporter, &Event::Tried(trial::run(&bounds.limits, walls))),
        request => perform(&request, reporter),
    };
    done.map_err(|error| error.failure())
}

fn bad(message: String) -> Failure {
    Failure { code: "bad_request".to_owned(), message, retryable: false }
}

fn read_request() -> Result<Request, Failure> {
    let bytes = fs::read(REQUEST_FILE).map_err(|error| bad(format!("The task's request cannot be read: {error}.")))?;
    serde_json::from_slice(&bytes).map_err(|error| bad(format!("The task's request is malformed: {error}.")))
}

fn perform(request: &Request, reporter: &Reporter) -> Result<(), MediaError> {
    tell(reporter, &Event::Reached { moment: Moment::Begun })?;
    media::init()?;
    if let Request::Look { excerpts } = request {
        return look(excerpts, reporter);
    }
    if let Request::Assemble { rung, sound, pieces, timescale } = request {
        return telling(reporter, |tell| media::assemble(rung, sound.as_ref(), pieces, *timescale, tell));
    }
    let mut source = Source::open(source()?)?;
    tell(reporter, &Event::Reached { moment: Moment::Opened })?;
    match request {
        Request::Probe => tell(reporter, &Event::Probed { media: media::probe(&mut source)? }),
        Request::Remux { media, plan } => telling(reporter, |tell| media::remux(&mut source, media, plan, tell)),
        Request::Verify { whole, threads, proven } => {
            tell(reporter, &Event::Probed { media: media::verify(&mut source, *whole, *threads, proven)? })
        }
        Request::Encode { media, plan, threads, keep_sound } => {
            telling(reporter, |tell| media::transcode(&mut source, media, plan, (*threads, *keep_sound), tell))
        }
        Request::Chunk { media, plan, chunk, timescale, threads } => {
            telling(reporter, |tell| media::chunk(&mut source, media, plan, (chunk, *timescale), *threads, tell))
        }
        Request::Sample { media, plan, stretches, threads } => {
            telling(reporter, |tell| media::sample(&mut source, media, plan, stretches, *threads, tell))
        }
        // Answered before a source is looked at.
        Request::Trial | Request::Look { .. } | Request::Assemble { .. } => Ok(()),
        Request::Stills { orders } => telling(reporter, |tell| media::stills(&mut source, orders, tell)),
    }
}

/// An excerpt that does not decode proves nothing; what is wrong with it shows in the whole output.
fn look(excerpts: &[String], reporter: &Reporter) -> Result<(), MediaError> {
    for excerpt in excerpts {
        if let Ok(proven) = File::open(excerpt).map_err(drop).and_then(|file| media::look(file).map_err(drop)) {
            tell(reporter, &Event::Looked { excerpt: excerpt.clone(), proven })?;
        }
    }
    Ok(())
}

/// Passes on what is told. A parent that is gone is an error, but not one of the media.
fn telling(
    reporter: &Reporter,
    work: impl FnOnce(&mut dyn FnMut(Report)) -> Result<(), MediaError>,
) -> Result<(), MediaError> {
    let mut told = Ok(());
    work(&mut |report| {
        let sent = tell(reporter, &event(report));
        if told.is_ok() {
            told = sent;
        }
    })?;
    told
}

fn tell(reporter: &Reporter, event: &Event) -> Result<(), MediaError> {
    reporter.send(event).map_err(|source| MediaError::Io { doing: "report", source })
}

fn event(report: Report) -> Event {
    match report {
        Report::Progress(fraction) => Event::Progress { fraction },
        Report::Output(output) => Event::Output(output),
        Report::Excerpt { name, number } => Event::Excerpt { name, number },
        Report::Measured { name, likeness } => {
            let Likeness { compared, own, shown, bytes, millis } = likeness;
            Event::Measured { name, compared, own, shown, bytes, millis }
        }
        Report::Refused { name, failure } => Event::Refused { name, failure },
        Report::Warned(reason) => Event::Warned { reason },
        Report::Settled { audio, flaw } => Event::Settled { audio, flaw },
        Report::Reached(moment) => Event::Reached { moment },
    }
}

/// The source that the parent put on descriptor 0.
fn source() -> Result<File, MediaError> {
    let stdin = std::io::stdin();
    let descriptor: BorrowedFd<'_> = stdin.as_fd();
    let owned =
        descriptor.try_clone_to_owned().map_err(|source| MediaError::Io { doing: "open the source", source })?;
    Ok(File::from(owned))
}
