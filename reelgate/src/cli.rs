//! The command line, as clap reads it. Knows no module that acts on it.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand};
use reelgate_common::{
    ids::{FileId, JobId},
    job::JobState,
};

use crate::lifetime::Lifetime;

/// Where `reelgate all` keeps everything unless told otherwise.
pub(crate) const DEFAULT_DATA_DIR: &str = "./reelgate-data";

/// Self-hosted media gateway: upload, make playable, stream under short-lived tokens.
#[derive(Debug, Parser)]
#[command(name = "reelgate", version, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// Configuration file; `reelgate.toml` in the source tree explains every key. The environment
    /// (`REELGATE__SECTION__KEY`) wins over it.
    #[arg(long, global = true, value_name = "FILE", env = "REELGATE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Gateway and worker in one process on SQLite, a directory and an in-process queue; nothing else is needed.
    All(All),
    /// The HTTP server of a production deployment.
    Gateway(Listen),
    /// The worker of a production deployment.
    Worker,
    /// Brings the database to this version.
    Migrate(DataDirArgument),
    /// Lists, explains, runs again or stops jobs, as JSON. Asks the database, so it works while gateways and queue are away.
    Jobs(Jobs),
    /// Prints a signed-in JWT and nothing else; works beside a running server.
    Token(Token),
    /// Compares database and store once, mends what differs, and says what it did; also beside running servers.
    Reconcile(Reconcile),
    /// Shows the effective configuration, asks every dependency, and says what to fix.
    Check(DataDirArgument),
}

#[derive(Debug, Args)]
pub(crate) struct All {
    /// Holds the database, the objects, scratch and secrets; made when it does not exist.
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA_DIR)]
    pub(crate) data_dir: PathBuf,
    #[command(flatten)]
    pub(crate) listen: Listen,
    /// Prints an address that is signed in already. Only with a loopback address.
    #[arg(long)]
    pub(crate) demo: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Listen {
    /// Address of the API and the page; port 0 takes a free one. Default: `http.listen`.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// Address of `/healthz`, `/readyz` and `/metrics`. Default: `http.ops_listen`.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) ops_listen: Option<SocketAddr>,
}

#[derive(Debug, Args)]
pub(crate) struct DataDirArgument {
    /// Of an embedded server; else the configured backends are meant.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Reconcile {
    #[command(flatten)]
    pub(crate) of: DataDirArgument,
    /// Only says what would be done.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Prints the report as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Jobs {
    /// Of an embedded server, running or not; else the configured database is meant.
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) data_dir: Option<PathBuf>,
    /// Only this organisation's; all without it.
    #[arg(long, global = true)]
    pub(crate) org: Option<String>,
    #[command(subcommand)]
    pub(crate) what: JobsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum JobsCommand {
    /// The newest first.
    Ls {
        /// `queued`, `running`, `done`, `dead` (the dead letters) or `cancelled`.
        #[arg(long)]
        state: Option<JobState>,
        #[arg(long)]
        file: Option<FileId>,
        #[arg(long, default_value_t = 50)]
        limit: u64,
    },
    /// All that is known of one: the plan with its reasons, every attempt with its task's last words.
    Explain { job: JobId },
    /// Moves jobs that were given up or cancelled back to those that wait.
    Retry {
        #[arg(required_unless_present = "dead")]
        jobs: Vec<JobId>,
        /// Every dead letter that another run may not end in the same way.
        #[arg(long, conflicts_with = "jobs")]
        dead: bool,
    },
    /// Stops jobs that wait or run; they can be retried.
    Cancel {
        #[arg(required = true)]
        jobs: Vec<JobId>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Token {
    /// Of an embedded server whose secret signs; else `auth.secret` does.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The user.
    #[arg(long)]
    pub(crate) sub: String,
    /// The organisation.
    #[arg(long)]
    pub(crate) org: String,
    /// May be given several times, e.g. `admin`.
    #[arg(long = "role", value_name = "ROLE")]
    pub(crate) roles: Vec<String>,
    /// How long it holds: `90s`, `15m`, `1h`, `7d`.
    #[arg(long, default_value = "1h")]
    pub(crate) ttl: Lifetime,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn the_documented_calls_are_understood() {
        for line in [
            "reelgate all --data-dir d --listen 127.0.0.1:8080 --ops-listen 127.0.0.1:9090",
            "reelgate all --demo --config reelgate.toml",
            "reelgate gateway --listen 0.0.0.0:8080",
            "reelgate worker",
            "reelgate migrate",
            "reelgate token --data-dir d --sub alice --org acme --role admin --ttl 1h",
            "reelgate check",
            "reelgate reconcile --data-dir d --dry-run --json",
            "reelgate jobs ls --state dead --limit 5",
            "reelgate jobs --org acme --data-dir d retry --dead",
            "reelgate jobs explain 0190163d-8694-739b-aea5-966c26f8ad91",
            "reelgate jobs cancel 0190163d-8694-739b-aea5-966c26f8ad91 --data-dir d",
        ] {
            Cli::try_parse_from(line.split(' ')).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
    }
}
