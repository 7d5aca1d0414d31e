//! A record of what a running process asks the kernel for, in order (by strace), to be held against what it has told others.

use std::{collections::HashMap, time::Duration};

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

use crate::process::{Folder, Launch, Process, eventually};

const START: Duration = Duration::from_secs(60);

pub struct Trace {
    strace: Process,
    folder: Folder,
}

impl Trace {
    /// From now on. `calls` as strace names them, separated by commas. Nothing where tracing is not permitted.
    ///
    /// # Errors
    /// strace is not installed, or does not begin.
    pub async fn of(process: &Process, calls: &str) -> Result<Option<Self>> {
        let folder = Folder::new("trace")?;
        let (to, pid) = (folder.join("calls"), process.pid().to_string());
        let arguments = ["-f", "-y", "-s", "4096", "-e", &format!("trace={calls}"), "-o", &to, "-p", &pid];
        let mut strace = Launch::new("strace", folder.join("strace.log")).args(arguments).start()?;
        let ready =
            eventually("strace watches", START, async || !strace.is_running() || strace.output().contains("attached"))
                .await;
        ready.context("strace is missing: run make test")?;
        if strace.output().contains("Operation not permitted") {
            return Ok(None);
        }
        ensure!(strace.is_running(), "strace ended: {}", strace.output());
        Ok(Some(Self { strace, folder }))
    }

    /// The calls so far, in the order in which they ended; what is written somewhere counts from when it began, for it can be
    /// read before the call has ended.
    ///
    /// # Errors
    /// The record cannot be read.
    pub fn end(mut self) -> Result<Vec<String>> {
        self.strace.signal(Signal::INT)?;
        self.strace.wait(START)?;
        let text = String::from_utf8_lossy(&std::fs::read(self.folder.join("calls"))?).into_owned();
        Ok(in_order(&text))
    }
}

fn in_order(record: &str) -> Vec<String> {
    let (mut calls, mut begun) = (Vec::new(), HashMap::new());
    for line in record.lines() {
        let Some((thread, call)) = line.split_once(' ') else { continue };
        let call = call.trim_start();
        match call.strip_suffix("<unfinished ...>") {
            Some(written) if ["write", "send"].iter().any(|writes| call.starts_with(writes)) => {
                calls.push(written.to_owned());
            }
            Some(head) => drop(begun.insert(thread.to_owned(), head.to_owned())),
            None if call.starts_with("<... ") => calls.extend(begun.remove(thread).map(|head| head + call)),
            None => calls.push(call.to_owned()),
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_counts_when_it_ends_and_a_write_when_it_begins() {
        let record = "7 fsync(3</a> <unfinished ...>\n8 write(4<socket:[1]>, \"200\" <unfinished ...>\n\
                      7 <... fsync resumed>) = 0\n8 <... write resumed>) = 3\n9 fsync(5</b>) = 0\n";
        let calls = in_order(record);
        assert_eq!(calls.len(), 3, "{calls:?}");
        assert!(
            calls[0].starts_with("write(4") && calls[1].starts_with("fsync(3</a>") && calls[2].starts_with("fsync(5")
        );
    }
}
