//! The sandbox put to the test from inside: a task tries what one that was taken over would try, and what every task needs.
//! Run at a worker's start and by `reelgate check`; nothing is believed that was not tried.

use std::{
    fs, io,
    net::{TcpStream, UdpSocket},
    os::unix::{net::UnixStream, process::CommandExt},
    process::Command,
    thread,
};

use rustix::{
    io::Errno,
    process::{Resource, Rlimit, getppid, getrlimit, setrlimit, test_kill_process},
};

use super::{
    protocol::{Attempt, REQUEST_FILE, Trial},
    sandbox::{DESCRIPTORS, Limits, Walls},
};

/// Something to try, and its name.
type Act = (&'static str, fn() -> io::Result<()>);

/// What a task that was taken over would do, and what says whether it could.
const FORBIDDEN: [Act; 11] = [
    ("read a file of the system", || fs::read("/etc/passwd").map(drop)),
    ("read its own environment", || fs::read("/proc/self/environ").map(drop)),
    ("read a file beside its folder", || fs::read("../canary").map(drop)),
    ("make a file beside its folder", || fs::write("../made", "x")),
    ("list the file system", || fs::read_dir("/").map(drop)),
    ("connect over TCP", || TcpStream::connect("127.0.0.1:9").map(drop)),
    ("open a UDP socket", || UdpSocket::bind("127.0.0.1:0").map(drop)),
    ("connect to a local socket", || UnixStream::connect("/run/docker.sock").map(drop)),
    ("start a process", || Command::new("/bin/true").spawn().map(drop)),
    ("signal its parent", || getppid().map_or(Ok(()), |parent| Ok(test_kill_process(parent)?))),
    ("raise a limit", || {
        let raised = Rlimit { current: Some(4096), maximum: Some(4096) };
        Ok(setrlimit(Resource::Nofile, raised)?)
    }),
];

/// What every task needs.
const NEEDED: [Act; 3] = [
    ("write into its folder", || fs::write("mine", "x").and_then(|()| fs::remove_file("mine"))),
    ("start a thread", || thread::Builder::new().spawn(|| ()).map(|thread| drop(thread.join()))),
    ("make a little memory", || reserve(8 << 20)),
];

pub(super) fn run(limits: &Limits, walls: Walls) -> Trial {
    let tried = |forbidden| move |(what, act): Act| attempt(what, forbidden, act());
    let mut attempts: Vec<Attempt> = NEEDED.into_iter().map(tried(false)).collect();
    attempts.extend(FORBIDDEN.into_iter().map(tried(true)));
    attempts.push(attempt("take more memory than it may", true, reserve(limits.memory_bytes)));
    attempts.push(attempt("open more files than it may", true, open_many()));
    // Who goes beyond these two is killed and tells nothing, so they are only looked at.
    attempts.push(attempt("compute for ever", true, bounded(Resource::Cpu, limits.cpu_seconds)));
    attempts.push(attempt("write without end", true, bounded(Resource::Fsize, limits.file_bytes)));
    // Last: should it succeed, nothing is left of us, and the parent hears no answer.
    attempts.push(attempt("become another program", true, Err(Command::new("/bin/true").exec())));
    Trial { walls, attempts }
}

/// A refusal is EPERM or EACCES, ENOMEM for memory and EMFILE for descriptors: a file that is not there proves nothing.
fn attempt(what: &str, forbidden: bool, outcome: io::Result<()>) -> Attempt {
    let refusals = [io::ErrorKind::PermissionDenied, io::ErrorKind::OutOfMemory];
    let full = |error: &io::Error| error.raw_os_error() == Some(Errno::MFILE.raw_os_error());
    let refused = outcome.as_ref().is_err_and(|error| refusals.contains(&error.kind()) || full(error));
    let said = outcome.err().map_or_else(|| "done".to_owned(), |error| error.to_string());
    Attempt { what: what.to_owned(), forbidden, refused, said }
}

fn open_many() -> io::Result<()> {
    let mut open = Vec::new();
    for _ in 0..=DESCRIPTORS {
        open.push(fs::File::open(REQUEST_FILE)?);
    }
    Ok(())
}

/// As if refused when there is a limit and it is not above what was agreed.
fn bounded(resource: Resource, most: u64) -> io::Result<()> {
    match getrlimit(resource).maximum {
        Some(limit) if limit <= most => Err(io::ErrorKind::PermissionDenied.into()),
        _ => Ok(()),
    }
}

fn reserve(bytes: u64) -> io::Result<()> {
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    let mut memory: Vec<u8> = Vec::new();
    memory.try_reserve_exact(bytes).map_err(|error| io::Error::new(io::ErrorKind::OutOfMemory, error))
}
