//! Hosts as network namespaces, each with one line to a router, which is one as well. A namespace lives as long as a process of ours in it,
//! so nothing is named and nothing is left behind, however the test ends. The router is where lines are cut: what a rule calls a black hole
//! is lost without a word to anybody, in one direction, as on a line that has broken somewhere on the way.

use std::{
    fs::File,
    io::Read,
    net::Ipv4Addr,
    os::fd::AsFd,
    path::{Path, PathBuf},
    process::{ChildStdin, Command},
    sync::Arc,
};

use anyhow::{Context, Result, ensure};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::runtime::{Builder, Runtime};

use crate::{
    host::Host,
    process::{Folder, Launch, Process},
};

/// The same in each network, which are apart from each other.
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 254);

/// The process that keeps a namespace.
#[derive(Debug)]
struct Space {
    path: PathBuf,
    keeper: Process,
    /// With its end the keeper ends.
    _input: ChildStdin,
}

impl Space {
    fn new(folder: &Folder) -> Result<Self> {
        // It says so once it is in its namespace, and ends with its standard input.
        let launch = Launch::new("unshare", folder.join("space.log")).args(["--net", "sh", "-c", "echo; exec cat"]);
        let mut keeper = launch.pipes().start()?;
        let (input, mut output) = keeper.take_pipes().context("it was started with pipes")?;
        let there = output.read_exact(&mut [0]);
        ensure!(there.is_ok(), "no network namespace can be made, which needs root: {}", keeper.output());
        Ok(Self { path: format!("/proc/{}/ns/net", keeper.pid()).into(), keeper, _input: input })
    }

    /// Runs a line of a shell in it.
    fn run(&self, line: &str) -> Result<()> {
        let output = Host::within(&self.path, ROUTER).command("sh").args(["-ec", line]).output()?;
        ensure!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }
}

#[derive(Debug)]
pub struct Network {
    router: Arc<Space>,
    hosts: Vec<Space>,
    folder: Folder,
}

impl Network {
    /// One without hosts.
    ///
    /// # Errors
    /// This user may not make namespaces, or iproute2 is not installed.
    pub fn new() -> Result<Self> {
        let version = Command::new("ip").arg("-V").output();
        ensure!(version.is_ok(), "iproute2 is not installed: run make hosts");
        let folder = Folder::new("network")?;
        let router = Arc::new(Space::new(&folder)?);
        router.run("echo 1 > /proc/sys/net/ipv4/ip_forward; ip link set lo up")?;
        Ok(Self { router, hosts: Vec::new(), folder })
    }

    /// Another host, which reaches all others.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn host(&mut self) -> Result<Host> {
        let space = Space::new(&self.folder)?;
        let number = u8::try_from(self.hosts.len() + 1)?;
        let (address, pid) = (Ipv4Addr::new(10, 77, 0, number), space.keeper.pid());
        self.router.run(&format!(
            "ip link add line{number} type veth peer name line netns {pid}
             ip addr add {ROUTER}/32 dev line{number}
             ip link set line{number} up
             ip route add {address}/32 dev line{number}"
        ))?;
        space.run(&format!(
            "ip link set lo up
             ip addr add {address}/32 dev line
             ip link set line up
             ip route add {ROUTER} dev line
             ip route add default via {ROUTER}"
        ))?;
        let host = Host::within(&space.path, address);
        self.hosts.push(space);
        Ok(host)
    }

    /// Loses whatever one sends to the other.
    ///
    /// # Errors
    /// The router does not take it.
    pub fn cut_one_way(&self, from: &Host, to: &Host) -> Result<Cut> {
        let rule = format!("from {} to {} blackhole", from.address(), to.address());
        self.router.run(&format!("ip rule add {rule}"))?;
        Ok(Cut { router: self.router.clone(), rules: vec![rule] })
    }

    /// The same in both directions.
    ///
    /// # Errors
    /// The router does not take it.
    pub fn cut(&self, one: &Host, other: &Host) -> Result<Cut> {
        let mut cut = self.cut_one_way(one, other)?;
        cut.rules.append(&mut self.cut_one_way(other, one)?.rules);
        Ok(cut)
    }
}

/// A line that is cut, until this is dropped.
#[derive(Debug)]
#[must_use]
pub struct Cut {
    router: Arc<Space>,
    rules: Vec<String>,
}

impl Drop for Cut {
    fn drop(&mut self) {
        for rule in &self.rules {
            // Gone already where the network is.
            let _ = self.router.run(&format!("ip rule del {rule}"));
        }
    }
}

/// A runtime whose every thread is on a host, the calling one included: it cannot come back from there.
///
/// # Errors
/// This user may not go there.
pub fn runtime(host: &Host) -> Result<Runtime> {
    let space = host.space().context("a host of a network")?.to_owned();
    enter(&space)?;
    let on_start = move || enter(&space).unwrap_or_else(|error| panic!("{error:#}"));
    Ok(Builder::new_multi_thread().enable_all().on_thread_start(on_start).build()?)
}

fn enter(space: &Path) -> Result<()> {
    let space = File::open(space)?;
    Ok(move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network))?)
}
