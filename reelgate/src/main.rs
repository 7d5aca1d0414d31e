//! The `reelgate` command: everything Reelgate is, in one binary. It parses, loads the configuration and hands over; what
//! happens then belongs to the gateway, the worker and `common`.

use std::process::ExitCode;

use clap::Parser;
use reelgate_common::{profiles, program};
use reelgate_worker::task::protocol::TASK_ARGUMENT;

use crate::cli::{Cli, Command, KeysCommand};

mod all;
mod bench;
mod check;
mod cli;
mod data_dir;
mod demo;
mod drain;
mod jobs;
mod keys;
mod lifetime;
mod openapi;
mod parts;
mod reconcile;
mod remote;
mod settings;
mod token;
mod transfer;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // Before anything else: a task must not start threads, read configuration or open connections.
    if std::env::args_os().nth(1).is_some_and(|argument| argument == TASK_ARGUMENT) {
        return reelgate_worker::task_main();
    }
    program::ended("reelgate", start(Cli::parse()))
}

fn start(cli: Cli) -> anyhow::Result<ExitCode> {
    if let Command::Token(arguments) = &cli.command {
        return token::print(arguments, cli.config.as_deref());
    }
    profiles::heap_by(profiles::jemalloc);
    program::block_on(run(cli))?
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let config = cli.config.as_deref();
    match cli.command {
        Command::All(arguments) => all::run(&arguments, config).await,
        Command::Gateway(arguments) => parts::gateway(&arguments, config).await,
        Command::Worker(arguments) => parts::worker(&arguments, config).await,
        Command::Migrate(arguments) => parts::migrate(arguments.data_dir.as_deref(), config).await,
        Command::Reconcile(arguments) => reconcile::run(&arguments, config).await,
        Command::Export(arguments) => transfer::export(&arguments, config).await,
        Command::Import(arguments) => transfer::import(&arguments, config).await,
        Command::Bench(arguments) => bench::run(&arguments, config).await,
        Command::Check(arguments) => check::run(&arguments, config).await,
        Command::Keys { what: KeysCommand::Rotate(arguments) } => keys::run(&arguments, config),
        Command::Drain(arguments) => drain::run(&arguments).await,
        Command::Jobs(arguments) => jobs::run(&arguments, config).await,
        Command::Upload(arguments) => remote::upload(&arguments, config).await,
        Command::Ls(arguments) => remote::list(&arguments, config).await,
        Command::Info(arguments) => remote::info(&arguments, config).await,
        Command::Rm(arguments) => remote::remove(&arguments, config).await,
        Command::Restore(arguments) => remote::restore(&arguments, config).await,
        Command::Tag(arguments) => remote::tag(&arguments, config).await,
        Command::Watch(arguments) => remote::watch(&arguments, config).await,
        Command::Completions { shell } => Ok(cli::complete(shell)),
        Command::Openapi => openapi::print(),
        Command::Token(_) => unreachable!("printed before the runtime was made"),
    }
}
