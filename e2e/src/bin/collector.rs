//! A collector of spans for a shell: takes OTLP over HTTP and prints each span as a line of JSON. `scripts/trace` draws them.

use std::{io::Write, net::SocketAddr, time::Duration};

use clap::Parser;
use reelgate_e2e::collector::Collector;

#[derive(Parser)]
struct Arguments {
    /// Where it listens; `traces.endpoint` is `http://` and this.
    #[arg(long, default_value = "127.0.0.1:4318")]
    listen: SocketAddr,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let collector = Collector::start_on(Arguments::parse().listen).await?;
    let (mut out, mut printed) = (std::io::stdout(), 0);
    loop {
        let spans = collector.spans();
        for span in &spans[printed..] {
            writeln!(out, "{}", serde_json::to_string(span)?)?;
        }
        out.flush()?;
        printed = spans.len();
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
