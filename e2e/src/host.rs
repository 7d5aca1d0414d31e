//! Where a process of a test runs: this machine's own network, or a host with an address of its own, which is a network namespace
//! (`hosts::network` makes them). Knows nothing of what runs there.

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Command,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    address: Ipv4Addr,
    space: Option<PathBuf>,
}

impl Default for Host {
    /// This machine, over loopback.
    fn default() -> Self {
        Self { address: Ipv4Addr::LOCALHOST, space: None }
    }
}

impl Host {
    /// `space` is a file that names the namespace (namespaces(7)).
    pub(crate) fn within(space: &Path, address: Ipv4Addr) -> Self {
        Self { address, space: Some(space.to_owned()) }
    }

    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    pub(crate) fn space(&self) -> Option<&Path> {
        self.space.as_deref()
    }

    /// A command that runs there. It keeps its process id, so that signals meet the program and not who has started it.
    pub(crate) fn command(&self, program: &str) -> Command {
        let Some(space) = &self.space else { return Command::new(program) };
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", space.display())).args(["--", program]);
        command
    }
}

/// Where the parts of a deployment run; whatever is not named here runs on this machine.
#[derive(Debug, Clone, Default)]
pub struct Hosts {
    pub gateways: Vec<Host>,
    pub workers: Vec<Host>,
    pub database: Host,
    pub redis: Host,
    pub store: Host,
    /// Where commands run, and the test itself.
    pub client: Host,
}

impl Hosts {
    pub(crate) fn gateway(&self, index: usize) -> Host {
        self.gateways.get(index).cloned().unwrap_or_default()
    }

    pub(crate) fn worker(&self, index: usize) -> Host {
        self.workers.get(index).cloned().unwrap_or_default()
    }
}
