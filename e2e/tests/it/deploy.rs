//! The deployment files, held against the real programs: each service of `docker-compose.yml` is started with its own command
//! and environment, outside containers, on a real Postgres, Redis and Garage.

mod compose;

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result, ensure};
use reelgate_e2e::{
    ports::free_port,
    process::{Folder, Launch, Process, eventually},
    services::{Postgres, Redis, garage_binary},
    site,
};
use rustix::process::Signal;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use self::compose::{Compose, Service, read, variable_names};

/// Long enough for a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Our own services, and the stage of the image each runs in.
const OURS: [&str; 3] = ["migrate", "gateway", "worker"];

#[tokio::test]
async fn the_composed_services_start_and_get_ready() -> Result<()> {
    let footing = Footing::start().await?;

    let mut migrate = footing.start_service("migrate")?;
    let status = migrate.wait(PATIENCE)?;
    ensure!(status.success(), "migrate: {}", migrate.output());

    let mut gateway = footing.start_service("gateway")?;
    let mut worker = footing.start_service("worker")?;
    for (name, process) in [("gateway", &mut gateway), ("worker", &mut worker)] {
        let health = footing.service(name)?.healthcheck.with_context(|| format!("{name} has no health check"))?.test;
        let address = health.last().context("the health check asks nothing")?;
        eventually("it is healthy", PATIENCE, async || !process.is_running() || is_healthy(address).await).await?;
        ensure!(process.is_running(), "{name}: {}", process.output());
    }

    for (name, process) in [("gateway", &mut gateway), ("worker", &mut worker)] {
        process.signal(Signal::TERM)?;
        let status = process.wait(PATIENCE)?;
        ensure!(status.success(), "{name} ended with {status}: {}", process.output());
    }
    Ok(())
}

#[tokio::test]
async fn every_setting_of_the_composed_services_is_known_and_a_misspelt_one_is_not() -> Result<()> {
    let footing = Footing::start().await?;
    for name in OURS {
        // This command reads every section there is, also those that the service itself does not.
        let service = Service { command: footing.service("migrate")?.command, ..footing.service(name)? };
        let mut known = footing.launch(name, &service)?;
        ensure!(known.wait(PATIENCE)?.success(), "{name}: {}", known.output());

        let mut misspelt = service;
        misspelt.environment.insert("REELGATE__STORAGE__URI".to_owned(), "s3://reelgate/main".to_owned());
        let mut refused = footing.launch(name, &misspelt)?;
        ensure!(!refused.wait(PATIENCE)?.success(), "{name} was started with an unknown key");
        ensure!(refused.output().contains("uri"), "{name} does not name the key: {}", refused.output());
    }
    Ok(())
}

#[test]
fn every_command_lies_in_the_image_that_runs_it() -> Result<()> {
    let compose = Compose::load(&variables(&read("deploy/env.example")?))?;
    for name in OURS {
        let service = compose.service(name)?;
        let build = service.build.as_ref().with_context(|| format!("{name} is not built"))?;
        let dockerfile = read(&build.dockerfile)?;
        let stage = stage(&dockerfile, &build.target).with_context(|| format!("no stage {}", build.target))?;
        let program = service.command.first().context("no command")?;
        ensure!(stage.contains(&format!(" /usr/local/bin/{program}\n")), "{name}: {program} is not in its image");
        ensure!(stage.contains("\nUSER 10001:10001\n"), "{name} runs with more rights than it needs");
    }
    let gateway = stage(&read("deploy/Dockerfile")?, "gateway").context("no stage gateway")?;
    ensure!(gateway.starts_with("FROM base AS"), "the gateway's image is not the one without libav");
    Ok(())
}

#[test]
fn nothing_starts_before_what_it_needs() -> Result<()> {
    let compose = Compose::load(&variables(&read("deploy/env.example")?))?;
    for (name, service) in &compose.services {
        for (needed, dependency) in &service.depends_on {
            let checked = compose.service(needed)?.healthcheck.is_some();
            let expected = if checked { "service_healthy" } else { "service_completed_successfully" };
            assert_eq!(dependency.condition, expected, "{name} needs {needed}");
        }
    }
    for name in ["gateway", "worker"] {
        let needs: Vec<_> = compose.service(name)?.depends_on.keys().map(String::as_str).collect();
        assert_eq!(needs, ["garage", "migrate", "redis"], "{name}");
    }
    Ok(())
}

/// The services that we did not write, and how ours are led to them.
struct Footing {
    compose: Compose,
    folder: Folder,
    places: Vec<(&'static str, String)>,
    _redis: Redis,
    _garage: Process,
}

impl Footing {
    async fn start() -> Result<Self> {
        let compose = Compose::load(&variables(&read("deploy/env.example")?))?;
        let (postgres, redis, folder) = (Postgres::shared().await?, Redis::start().await?, Folder::new("deploy")?);
        let (s3, rpc) = (free_port(), free_port());
        let database = postgres.fresh_database()?;
        let database = database.split_once('@').context("an address with a user")?.1;
        let places = vec![
            ("postgres:5432/reelgate", database.to_owned()),
            ("redis:6379", format!("127.0.0.1:{}", redis.port())),
            ("garage:3900", format!("127.0.0.1:{s3}")),
            ("0.0.0.0:3900", format!("127.0.0.1:{s3}")),
            ("0.0.0.0:3901", format!("127.0.0.1:{rpc}")),
            ("127.0.0.1:3901", format!("127.0.0.1:{rpc}")),
            ("0.0.0.0:8080", "127.0.0.1:0".to_owned()),
            ("0.0.0.0:9090", format!("127.0.0.1:{}", free_port())),
            ("0.0.0.0:9091", format!("127.0.0.1:{}", free_port())),
            ("/etc/garage.toml", folder.join("garage.toml")),
            ("/var/lib/garage", folder.join("garage")),
            ("/var/lib/reelgate", folder.join("reelgate")),
        ];
        let places = with_probe(places)?;
        let garage = start_garage(&compose, &folder, &places).await?;
        Ok(Self { compose, folder, places, _redis: redis, _garage: garage })
    }

    fn service(&self, name: &str) -> Result<Service> {
        Ok(self.compose.service(name)?.mapped(&self.places))
    }

    fn start_service(&self, name: &str) -> Result<Process> {
        self.launch(name, &self.service(name)?)
    }

    /// Starts a service's command with its environment and nothing else.
    fn launch(&self, name: &str, service: &Service) -> Result<Process> {
        let (program, arguments) = service.command.split_first().context("no command")?;
        Launch::new(site::program(program)?, self.folder.join(&format!("{name}-{}.log", free_port())))
            .args(arguments)
            .clear_env()
            .envs(service.environment.clone())
            .directory(self.folder.path())
            .start()
    }
}

/// The health checks ask the same ports on loopback.
fn with_probe(mut places: Vec<(&'static str, String)>) -> Result<Vec<(&'static str, String)>> {
    for (everywhere, loopback) in [("0.0.0.0:9090", "127.0.0.1:9090"), ("0.0.0.0:9091", "127.0.0.1:9091")] {
        let ops = places.iter().find(|(from, _)| *from == everywhere).context("no ops port")?.1.clone();
        places.push((loopback, ops));
    }
    Ok(places)
}

/// Starts Garage as its service says, with `deploy/garage.toml`, and waits for its own health check.
async fn start_garage(compose: &Compose, folder: &Folder, places: &[(&'static str, String)]) -> Result<Process> {
    let config = places.iter().fold(read("deploy/garage.toml")?, |text, (from, to)| text.replace(from, to));
    std::fs::write(folder.join("garage.toml"), config)?;
    let service = compose.service("garage")?.mapped(places);
    let launch = |words: &[String], log: &str| -> Result<Process> {
        let (program, arguments) = words.split_first().context("no command")?;
        ensure!(program == "/garage", "the image holds /garage only");
        Launch::new(garage_binary()?, folder.join(log))
            .args(arguments)
            .clear_env()
            .envs(service.environment.clone())
            .start()
    };
    let mut garage = launch(&service.command, "garage.log")?;
    let check = service.healthcheck.as_ref().context("garage has no health check")?;
    let (kind, words) = check.test.split_first().context("an empty health check")?;
    ensure!(kind == "CMD", "the image has no shell");
    eventually("garage is healthy", PATIENCE, async || {
        !garage.is_running()
            || launch(words, "garage-health.log")
                .and_then(|mut check| check.wait(PATIENCE))
                .is_ok_and(|status| status.success())
    })
    .await?;
    ensure!(garage.is_running(), "garage: {}", garage.output());
    Ok(garage)
}

/// What an operator would have filled in.
fn variables(example: &str) -> BTreeMap<&str, String> {
    let value = |name: &str| match name {
        "S3_ACCESS_KEY_ID" => format!("GK{}", "0123456789ab".repeat(2)),
        "REELGATE_TOKENS_KEYS" => format!("k1:{}=", "A".repeat(43)),
        _ => "0123456789abcdef".repeat(4),
    };
    variable_names(example).into_iter().map(|name| (name, value(name))).collect()
}

/// One stage of a Dockerfile, from its `FROM` to the next.
fn stage(dockerfile: &str, name: &str) -> Option<String> {
    let mut stages = dockerfile.split("\nFROM ").skip(1);
    let found = stages.find(|stage| stage.lines().next().is_some_and(|line| line.ends_with(&format!(" AS {name}"))))?;
    Some(format!("FROM {found}\n"))
}

async fn is_healthy(address: &str) -> bool {
    status_of(address).await.is_ok_and(|line| line.starts_with("HTTP/1.1 200"))
}

async fn status_of(address: &str) -> Result<String> {
    let (host, path) = address.strip_prefix("http://").and_then(|rest| rest.split_once('/')).context("no address")?;
    let mut stream = TcpStream::connect(host).await?;
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}
