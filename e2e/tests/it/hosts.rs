//! Every part of a deployment on a host of its own: lines between them are cut, and everything is restarted, while clients upload, play and
//! listen. By `make hosts`, as root: network namespaces are needed.
#![allow(clippy::print_stdout, reason = "the tables are wanted, not only that nothing is wrong")]

use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use anyhow::{Result, ensure};
use reelgate_e2e::{
    host::Host,
    hosts::{
        self, Loses, Plan, Report,
        network::{self, Cut, Network},
    },
};

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn held(report: &Report) {
    println!("{report}");
    assert!(report.is_whole(), "{report}");
}

/// On a thread of its own, which stays on the host.
fn on<T: Send>(host: &Host, what: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let _there = network::runtime(host)?;
            what()
        });
        thread.join().expect("the thread does not panic")
    })
}

#[test]
#[ignore = "needs root and iproute2: make hosts"]
fn a_line_that_is_cut_loses_all_without_a_word_and_no_other_does() -> Result<()> {
    let mut network = Network::new()?;
    let (here, there, beyond) = (network.host()?, network.host()?, network.host()?);
    let listen = |host: &Host| on(host, || Ok(TcpListener::bind((host.address(), 0))?));
    let (near, far) = (listen(&there)?, listen(&beyond)?);
    let reaches = |listener: &TcpListener| {
        let address: SocketAddr = listener.local_addr()?;
        on(&here, || match TcpStream::connect_timeout(&address, Duration::from_secs(2)) {
            Ok(_) => Ok(true),
            // Not refused and not unreachable: nobody has said anything.
            Err(error) => {
                ensure!(error.kind() == ErrorKind::TimedOut, "{error}");
                Ok(false)
            }
        })
    };
    ensure!(reaches(&near)? && reaches(&far)?);
    let both = || network.cut(&here, &there);
    let ways = [&both as &dyn Fn() -> Result<Cut>, &|| network.cut_one_way(&here, &there), &|| {
        network.cut_one_way(&there, &here)
    }];
    for way in ways {
        let cut = way()?;
        ensure!(!reaches(&near)? && reaches(&far)?);
        drop(cut);
        ensure!(reaches(&near)?);
    }
    ensure!(reaches(&near)? && reaches(&far)?);
    Ok(())
}

/// `HOSTS_CUT_SECONDS` says how long each line stays cut, `HOSTS_ROUNDS` how many of the rounds are run and `HOSTS_PASS_OVER`
/// how many before them are not, `HOSTS_LOSES` what is lost (`questions`, `answers`, or both).
#[test]
#[ignore = "needs root and iproute2, and takes half an hour: make hosts"]
fn whatever_line_is_cut_nothing_accepted_is_lost() -> Result<()> {
    let time = Duration::from_secs(number("HOSTS_CUT_SECONDS", 60));
    let rounds = usize::try_from(number("HOSTS_ROUNDS", 100))?;
    let passed_over = usize::try_from(number("HOSTS_PASS_OVER", 0))?;
    let loses = match std::env::var("HOSTS_LOSES").as_deref() {
        Ok("questions") => Loses::Questions,
        Ok("answers") => Loses::Answers,
        _ => Loses::Everything,
    };
    held(&hosts::partitions(Plan { time, rounds, passed_over, loses })?);
    Ok(())
}

/// `HOSTS_STEP_SECONDS` says how long everybody is watched after each restart.
#[test]
#[ignore = "needs root and iproute2, and takes minutes: make hosts"]
fn everything_is_restarted_and_nothing_accepted_fails() -> Result<()> {
    let time = Duration::from_secs(number("HOSTS_STEP_SECONDS", 10));
    held(&hosts::restarts(Plan { time, rounds: 1, passed_over: 0, loses: Loses::Everything })?);
    Ok(())
}
