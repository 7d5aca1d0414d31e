//! `reelgate check`: the effective configuration, an answer from every dependency, and what to do about those that give none.

use std::{path::Path, process::ExitCode, time::Duration};

use reelgate_common::{
    auth::Authenticator,
    backends::{check_deployment, open_storage},
    config::RawConfig,
    db::Db,
    queue,
    tokens::Keyring,
};
use reelgate_gateway::check_tls;
use reelgate_worker::WorkerError;

use crate::{data_dir::DataDir, settings::Settings};

const TIMEOUT: Duration = Duration::from_secs(5);

/// What came of asking one dependency.
struct Finding {
    what: &'static str,
    /// What is wrong, and what to do.
    trouble: Option<(String, &'static str)>,
}

/// Prints everything; fails when something is wrong.
pub(crate) async fn run(data_dir: Option<&Path>, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let mut settings = Settings::load(&RawConfig::load(config)?)?;
    let data_dir = DataDir::meant(data_dir, &settings)?;
    if let Some(dir) = &data_dir {
        dir.fill_backends(&mut settings)?;
        dir.fill_secrets(&mut settings)?;
    }
    let findings = match data_dir.is_none().then(|| embedded_kinds(&settings)).flatten() {
        // Asking them would make empty ones.
        Some(kinds) => vec![auth(&settings).await, tokens(&settings), tls(&settings), kinds],
        None => vec![
            auth(&settings).await,
            tokens(&settings),
            tls(&settings),
            database(&settings).await,
            queue(&settings).await,
            storage(&settings).await,
            scratch(&settings),
            sandbox(&settings).await,
        ],
    };
    print(&settings, &findings)?;
    let sound = findings.iter().all(|finding| finding.trouble.is_none());
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[expect(clippy::print_stdout, reason = "this is the command's output")]
fn print(settings: &Settings, findings: &[Finding]) -> anyhow::Result<()> {
    println!("{}\n", serde_json::to_string_pretty(settings)?);
    for finding in findings {
        match &finding.trouble {
            None => println!("ok    {}", finding.what),
            Some((trouble, advice)) => println!("WRONG {}: {trouble}\n      {advice}", finding.what),
        }
    }
    Ok(())
}

fn finding<E: Into<anyhow::Error>>(what: &'static str, outcome: Result<(), E>, advice: &'static str) -> Finding {
    // The whole chain: the cause that helps is usually the innermost one.
    Finding { what, trouble: outcome.err().map(|error| (format!("{:#}", error.into()), advice)) }
}

/// What gateway and worker would refuse at their start.
fn embedded_kinds(settings: &Settings) -> Option<Finding> {
    let kinds = [
        (settings.database.url.expose().starts_with("sqlite:"), "database.url is sqlite:"),
        (settings.queue.url.expose().starts_with("memory:"), "queue.url is memory:"),
    ];
    let named: Vec<&str> = kinds.into_iter().filter_map(|(found, what)| found.then_some(what)).collect();
    let trouble = anyhow::anyhow!("{}, which only `reelgate all` can use", named.join(" and "));
    let advice = "give --data-dir of the embedded server, or set REELGATE__DATABASE__URL, REELGATE__QUEUE__URL and \
                  REELGATE__STORAGE__URL";
    (!named.is_empty()).then(|| finding("backends", Err(trouble), advice))
}

async fn auth(settings: &Settings) -> Finding {
    let outcome = if settings.auth.secret.is_empty() && settings.auth.jwks.is_none() {
        Err(anyhow::anyhow!("neither auth.secret nor auth.jwks is set, so nobody can sign in"))
    } else {
        Authenticator::new(&settings.auth).await.map(drop).map_err(anyhow::Error::msg)
    };
    finding(
        "sign-in",
        outcome,
        "set REELGATE__AUTH__SECRET (32 bytes or more) or REELGATE__AUTH__JWKS (file or address)",
    )
}

fn tokens(settings: &Settings) -> Finding {
    let outcome = Keyring::new(&settings.tokens).map(drop).map_err(anyhow::Error::msg);
    finding(
        "stream tokens",
        outcome,
        "set REELGATE__TOKENS__KEYS to kid:base64 of 32 random bytes, the same on every gateway",
    )
}

fn tls(settings: &Settings) -> Finding {
    let what = if settings.http.tls_cert.is_some() { "TLS" } else { "TLS (none: plain HTTP)" };
    let advice = "REELGATE__HTTP__TLS_CERT and REELGATE__HTTP__TLS_KEY name PEM files: the certificate with its chain, and \
                  its key";
    finding(what, check_tls(&settings.http), advice)
}

async fn database(settings: &Settings) -> Finding {
    let outcome = within("the database", async {
        let db = Db::connect(&settings.database).await?;
        db.ping().await?;
        db.deployment_id().await?;
        Ok(())
    });
    finding(
        "database",
        outcome.await,
        "see REELGATE__DATABASE__URL; a database that answers may need `reelgate migrate`",
    )
}

async fn queue(settings: &Settings) -> Finding {
    let outcome = within("the queue", async { Ok(queue::open(&settings.queue).await?.ping().await?) });
    finding("queue", outcome.await, "see REELGATE__QUEUE__URL, and whether that server runs and takes its password")
}

async fn storage(settings: &Settings) -> Finding {
    let outcome = within("the store", async {
        let storage = open_storage(&settings.storage)?;
        storage.ping(TIMEOUT).await?;
        // Only where there is an identity to compare; a database that is away has a finding of its own.
        if let Ok(db) = Db::connect(&settings.database).await
            && let Ok(id) = db.deployment_id().await
        {
            check_deployment(&storage, &id).await?;
        }
        Ok::<_, anyhow::Error>(())
    });
    let advice = "see REELGATE__STORAGE__URL, REELGATE__STORAGE__ENDPOINT, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; the \
                  bucket must exist and belong to this deployment";
    finding("storage", outcome.await, advice)
}

fn scratch(settings: &Settings) -> Finding {
    let dir = &settings.worker.scratch_dir;
    let probe = dir.join(format!(".check-{}", std::process::id()));
    let outcome = std::fs::create_dir_all(dir)
        .and_then(|()| std::fs::write(&probe, b"x"))
        .and_then(|()| std::fs::remove_file(&probe));
    let outcome = outcome.map_err(|error| anyhow::anyhow!("{}: {error}", dir.display()));
    finding("scratch folder", outcome, "set REELGATE__WORKER__SCRATCH_DIR to a folder that the worker may write")
}

async fn sandbox(settings: &Settings) -> Finding {
    let outcome = match reelgate_worker::prove_sandbox(&settings.worker_config()).await {
        // A worker would start, and say so.
        Err(WorkerError::Sandbox(_)) if !settings.worker.require_sandbox => Ok(()),
        outcome => outcome.map(drop),
    };
    let what = if settings.worker.require_sandbox { "sandbox of tasks" } else { "sandbox of tasks (not required)" };
    finding(what, outcome, "workers need Linux 5.13 or later with landlock and seccomp; see docs/sandbox.md")
}

async fn within(what: &'static str, asked: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    match tokio::time::timeout(TIMEOUT, asked).await {
        Ok(outcome) => outcome,
        Err(_) => anyhow::bail!("{what} did not answer within {} s", TIMEOUT.as_secs()),
    }
}
