//! The command lines of `export` and `import`.

use std::path::PathBuf;

use clap::Args;

use super::DataDirArgument;

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// A folder that does not exist, or that of an export that was stopped.
    #[arg(value_name = "FOLDER")]
    pub(crate) folder: PathBuf,
    #[command(flatten)]
    pub(crate) of: DataDirArgument,
    #[command(flatten)]
    pub(crate) pace: Pace,
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("origin").required(true).multiple(true).args(["folder", "from", "from_data_dir"])))]
pub(crate) struct Import {
    /// What `export` has written.
    #[arg(value_name = "FOLDER", conflicts_with_all = ["from", "from_data_dir"])]
    pub(crate) folder: Option<PathBuf>,
    /// Settings of the deployment that is to be moved: its `reelgate.toml`, or a file of its environment (`NAME=value` on each line).
    /// May be given several times. Nothing of this process's environment is taken for it but `AWS_*`, and those only where the files
    /// have none.
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Vec<PathBuf>,
    /// Data folder of the deployment that is to be moved.
    #[arg(long, value_name = "DIR")]
    pub(crate) from_data_dir: Option<PathBuf>,
    /// Into an embedded server's folder, made when it does not exist; else the configured backends are meant.
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Only brings objects, while the other deployment is still served: what is left for the import itself is short.
    #[arg(long, conflicts_with = "folder")]
    pub(crate) ahead: bool,
    /// Also when this deployment cannot open the secrets of webhooks: they must be rotated then.
    #[arg(long)]
    pub(crate) without_secrets: bool,
    #[command(flatten)]
    pub(crate) pace: Pace,
}

#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Pace {
    /// Objects that are copied at once. Each takes the memory of two parts: 32 MiB, more for objects above 140 GiB.
    #[arg(long, value_name = "NUMBER", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) at_once: u16,
    /// Prints what was done as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
