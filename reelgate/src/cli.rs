//! The command line, as clap reads it. Knows no module that acts on it.

mod moving;

use std::{io, net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::{Args, CommandFactory, Parser, Subcommand};
use reelgate_common::{
    file::{FileKind, FileState},
    ids::{FileId, JobId},
    job::{JobKind, JobState},
    listing::Sort,
};

pub(crate) use self::moving::{Export, Import};
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
    Worker(Worker),
    /// Brings the database to this version.
    Migrate(DataDirArgument),
    /// Lists, explains, runs again or stops jobs, as JSON. Asks the database, so it works while gateways and queue are away.
    Jobs(Jobs),
    /// Prints a signed-in JWT and nothing else; works beside a running server.
    Token(Token),
    /// Compares database and store once, mends what differs, and says what it did; also beside running servers.
    Reconcile(Reconcile),
    /// Writes a whole deployment into a folder, which `import` reads. Nobody may serve it meanwhile.
    Export(Export),
    /// Brings a whole deployment into this one, which must be migrated and empty: out of another database and store, or out of a folder
    /// that `export` has written. Run again after whatever has stopped it, it goes on.
    Import(Import),
    /// Measures what this machine and its services can do, in about a minute, and leaves nothing behind.
    Bench(Bench),
    /// Shows the effective configuration, tries with every dependency what gateways and workers do, and says what to fix.
    Check(Check),
    /// Keys that sign stream tokens.
    Keys {
        #[command(subcommand)]
        what: KeysCommand,
    },
    /// Asks gateways and workers to take nothing new and end what they have, and returns when they have ended.
    Drain(Drain),
    /// Uploads files to a running server.
    Upload(Upload),
    /// Lists the files of a running server, the newest first unless told otherwise.
    Ls(List),
    /// Shows all that is known of a file, as JSON.
    Info(Named),
    /// Deletes files, and all that was made from them; where the server has a trash, they go there.
    Rm(Remove),
    /// Brings files back out of the trash.
    Restore(Restore),
    /// Says something about files: tags, metadata, a name, an end.
    Tag(Tag),
    /// Follows files until each is ready or failed.
    Watch(Watch),
    /// Prints the OpenAPI 3.1 document of this build, as a server sends it at `/openapi.json`.
    Openapi,
    /// Prints a script that completes this command in a shell.
    Completions { shell: clap_complete::Shell },
}

/// Which server, and who asks.
#[derive(Debug, Clone, Args)]
pub(crate) struct Remote {
    /// Address of the server.
    #[arg(long, value_name = "URL", env = "REELGATE_URL", default_value = "http://127.0.0.1:8080")]
    pub(crate) url: url::Url,
    /// Who signs in. Without it the secret of --data-dir signs the demo's own user in, as `reelgate all --demo` does.
    #[arg(long, value_name = "JWT", env = "REELGATE_JWT", hide_env_values = true)]
    pub(crate) jwt: Option<String>,
    /// Of an embedded server on this machine.
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DATA_DIR)]
    pub(crate) data_dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Upload {
    #[command(flatten)]
    pub(crate) remote: Remote,
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Until each file is ready or failed.
    #[arg(long)]
    pub(crate) wait: bool,
    /// Prints the files as the API shows them, a line each.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) remote: Remote,
    /// `uploading`, `staged`, `processing`, `ready` or `failed`; several with commas between them.
    #[arg(long, value_delimiter = ',')]
    pub(crate) state: Vec<FileState>,
    /// `video`, `audio`, `image` or `other`; several with commas between them.
    #[arg(long, value_delimiter = ',')]
    pub(crate) kind: Vec<FileKind>,
    /// A user's; `me` is who asks.
    #[arg(long, value_name = "USER")]
    pub(crate) owner: Option<String>,
    /// Created at this time or later, e.g. 2026-11-30T12:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub(crate) created_after: Option<String>,
    #[arg(long, value_name = "TIME")]
    pub(crate) created_before: Option<String>,
    /// Those that end before this time.
    #[arg(long, value_name = "TIME")]
    pub(crate) expires_before: Option<String>,
    #[arg(long, value_name = "BYTES")]
    pub(crate) size_min: Option<u64>,
    #[arg(long, value_name = "BYTES")]
    pub(crate) size_max: Option<u64>,
    /// Text in the name.
    #[arg(long, short = 'q', value_name = "TEXT")]
    pub(crate) query: Option<String>,
    /// May be given several times: files that bear all of them.
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// What is in the trash.
    #[arg(long)]
    pub(crate) trashed: bool,
    /// `created_at`, `updated_at`, `size` or `name`; with `-` before it the other way round.
    #[arg(long, allow_hyphen_values = true, value_name = "ORDER")]
    pub(crate) sort: Option<Sort>,
    #[arg(long, default_value_t = 50)]
    pub(crate) limit: usize,
    /// Prints the files as the API shows them, a line each.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Named {
    #[command(flatten)]
    pub(crate) remote: Remote,
    pub(crate) file: FileId,
}

#[derive(Debug, Args)]
pub(crate) struct NamedFiles {
    #[command(flatten)]
    pub(crate) remote: Remote,
    #[arg(required = true)]
    pub(crate) files: Vec<FileId>,
}

#[derive(Debug, Args)]
pub(crate) struct Remove {
    #[command(flatten)]
    pub(crate) of: NamedFiles,
    /// Past the trash, and out of it.
    #[arg(long)]
    pub(crate) permanent: bool,
    /// Prints what became of each file, a line each.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Restore {
    #[command(flatten)]
    pub(crate) of: NamedFiles,
    /// Prints the files as the API shows them, a line each.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Tag {
    #[command(flatten)]
    pub(crate) of: NamedFiles,
    /// A tag to add; may be given several times.
    #[arg(long, value_name = "TAG")]
    pub(crate) add: Vec<String>,
    /// A tag to take away; may be given several times.
    #[arg(long, value_name = "TAG")]
    pub(crate) remove: Vec<String>,
    /// A pair of metadata; may be given several times.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub(crate) set: Vec<(String, String)>,
    /// A pair of metadata to take away; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub(crate) unset: Vec<String>,
    /// What the file is called from now on.
    #[arg(long, value_name = "NAME")]
    pub(crate) filename: Option<String>,
    /// When it ends, e.g. 2027-01-01T00:00:00Z, or `never`.
    #[arg(long, value_name = "TIME")]
    pub(crate) expires_at: Option<String>,
    /// Prints the files as the API shows them, a line each.
    #[arg(long)]
    pub(crate) json: bool,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[derive(Debug, Args)]
pub(crate) struct Watch {
    #[command(flatten)]
    pub(crate) of: NamedFiles,
    /// Prints the files as the API shows them, a line each, when they are done.
    #[arg(long)]
    pub(crate) json: bool,
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
    /// Address of `/healthz`, `/readyz`, `/metrics`, `/scaling` and `/drain`. Default: `http.ops_listen`.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) ops_listen: Option<SocketAddr>,
}

#[derive(Debug, Args)]
pub(crate) struct Worker {
    /// Address of `/healthz`, `/readyz`, `/metrics` and `/drain`. Default: `worker.ops_listen`, and without it none.
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
pub(crate) struct Bench {
    #[command(flatten)]
    pub(crate) of: DataDirArgument,
    /// Prints the figures as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) of: DataDirArgument,
    /// Prints settings and findings as JSON.
    #[arg(long)]
    pub(crate) json: bool,
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
        /// `queued`, `running`, `split` (its parts are being made), `done`, `dead` (the dead letters) or `cancelled`.
        #[arg(long)]
        state: Option<JobState>,
        /// `process`, `thumbnail`, `chunk` or `earn`. Without it, all but the parts of films.
        #[arg(long)]
        kind: Option<JobKind>,
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

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Has a new key sign; those before it verify as long as what they have signed lives. Prints the keys, or writes them into a file.
    Rotate(RotateKeys),
}

#[derive(Debug, Args)]
pub(crate) struct RotateKeys {
    /// Where the keys stand, and are written: an environment, a configuration, or a file with nothing else. Without it, those that are
    /// configured are rotated and printed.
    #[arg(long, value_name = "FILE", conflicts_with = "data_dir")]
    pub(crate) file: Option<PathBuf>,
    /// Of an embedded server, whose own keys are rotated.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The new key only verifies for now: for several gateways, which must all know it before one of them signs with it. The next turn
    /// has it sign.
    #[arg(long)]
    pub(crate) announce: bool,
    /// How long what a key has signed is good: `36h`, `7d`. Default: two days, or more if the settings say so.
    #[arg(long, value_name = "TIME")]
    pub(crate) keep: Option<Lifetime>,
}

#[derive(Debug, Args)]
pub(crate) struct Drain {
    /// Operations ports.
    #[arg(value_name = "URL", default_value = "http://127.0.0.1:9090")]
    pub(crate) urls: Vec<url::Url>,
    /// Fails when it takes longer: `90s`, `1h`. Nobody is stopped by that.
    #[arg(long, value_name = "TIME")]
    pub(crate) timeout: Option<Lifetime>,
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

/// Prints the script of a shell.
pub(crate) fn complete(shell: clap_complete::Shell) -> ExitCode {
    clap_complete::generate(shell, &mut Cli::command(), "reelgate", &mut io::stdout());
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_import_is_out_of_one_place() {
        for line in [
            "reelgate import",
            "reelgate import f --from x",
            "reelgate import f --from-data-dir d",
            "reelgate import f --ahead",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }

    #[test]
    fn the_documented_calls_are_understood() {
        for line in [
            "reelgate all --data-dir d --listen 127.0.0.1:8080 --ops-listen 127.0.0.1:9090",
            "reelgate all --demo --config reelgate.toml",
            "reelgate gateway --listen 0.0.0.0:8080",
            "reelgate worker --ops-listen 127.0.0.1:9091",
            "reelgate worker",
            "reelgate migrate",
            "reelgate token --data-dir d --sub alice --org acme --role admin --ttl 1h",
            "reelgate bench --data-dir d --json",
            "reelgate check",
            "reelgate check --data-dir d --json",
            "reelgate keys rotate --data-dir d --keep 7d",
            "reelgate keys rotate --file .env --announce",
            "reelgate drain http://127.0.0.1:9090 http://127.0.0.1:9091 --timeout 1h",
            "reelgate drain",
            "reelgate reconcile --data-dir d --dry-run --json",
            "reelgate export backup --data-dir d",
            "reelgate import backup --json",
            "reelgate import --from old.toml --from old.env --data-dir d --ahead --at-once 16",
            "reelgate import --from-data-dir d --from old.env --without-secrets",
            "reelgate jobs ls --state dead --limit 5",
            "reelgate jobs --org acme --data-dir d retry --dead",
            "reelgate jobs explain 0190163d-8694-739b-aea5-966c26f8ad91",
            "reelgate upload a.mp4 b.mov --wait --json --url https://media.example",
            "reelgate ls --state failed --kind video --limit 5",
            "reelgate ls --state ready,failed --owner me --tag a --tag b -q film --sort -size --trashed --size-min 5 --json",
            "reelgate rm 0190163d-8694-739b-aea5-966c26f8ad91 --permanent --json",
            "reelgate restore 0190163d-8694-739b-aea5-966c26f8ad91",
            "reelgate tag 0190163d-8694-739b-aea5-966c26f8ad91 --add a --remove b --set k=v=w --unset l --expires-at never",
            "reelgate info 0190163d-8694-739b-aea5-966c26f8ad91 --jwt a.b.c",
            "reelgate rm 0190163d-8694-739b-aea5-966c26f8ad91 --data-dir d",
            "reelgate watch 0190163d-8694-739b-aea5-966c26f8ad91",
            "reelgate completions bash",
            "reelgate jobs cancel 0190163d-8694-739b-aea5-966c26f8ad91 --data-dir d",
        ] {
            Cli::try_parse_from(line.split(' ')).unwrap_or_else(|error| panic!("{line}: {error}"));
        }
    }
}
