//! One large file to the server by the tus protocol: after its connection has broken it goes on where the server had got to.

use std::{io::SeekFrom, path::Path, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::StatusCode;
use indicatif::ProgressBar;
use tokio::{io::AsyncSeekExt, time::sleep};

use super::{
    body::Content,
    file::RemoteFile,
    progress::Bars,
    retry::pause_before_retry,
    server::{Begun, Refused, Server},
};

/// Smaller files are sent in one go.
pub(super) const LARGE: u64 = 16 << 20;
/// As many as nothing gets through in; each byte that does makes the count begin anew.
const ATTEMPTS: u32 = 8;
const SHORT: Duration = Duration::from_millis(500);

/// # Errors
/// It was refused, or nothing got through for long. `Refused` with 404 comes of a server that speaks no tus.
pub(super) async fn file(
    server: &Server,
    (path, name, size): (&Path, &str, u64),
    bars: &Bars,
) -> anyhow::Result<RemoteFile> {
    let bar = bars.bytes(name, size);
    let metadata =
        format!("filename {},filetype {}", STANDARD.encode(name), STANDARD.encode("application/octet-stream"));
    let mut tries = Tries::default();
    let begun = loop {
        match server.begin(size, &metadata).await {
            Ok(begun) => break begun,
            Err(error) => tries.pause(error, 0, name, bars).await?,
        }
    };
    loop {
        let mut reached = bar.position();
        match go_on(server, &begun, (path, size), &bar, &mut reached).await {
            Ok(()) => break,
            Err(error) => tries.pause(error, reached, name, bars).await?,
        }
    }
    bar.finish_and_clear();
    server.file(begun.file).await
}

/// All that is missing. `reached` is what the server had before.
async fn go_on(
    server: &Server,
    begun: &Begun,
    (path, size): (&Path, u64),
    bar: &ProgressBar,
    reached: &mut u64,
) -> anyhow::Result<()> {
    let at = server.reached(begun).await?;
    *reached = at;
    bar.set_position(at);
    if at == size {
        return Ok(());
    }
    let mut file = tokio::fs::File::open(path).await?;
    file.seek(SeekFrom::Start(at)).await?;
    server.append(begun, at, Content::rest(file, size - at, bar.clone())).await
}

#[derive(Default)]
struct Tries {
    failed: u32,
    /// Bytes that the server had.
    reached: u64,
}

impl Tries {
    /// Waits, if it may be tried again.
    async fn pause(&mut self, error: anyhow::Error, reached: u64, name: &str, bars: &Bars) -> anyhow::Result<()> {
        self.failed = if reached > self.reached { 1 } else { self.failed + 1 };
        self.reached = reached;
        let pause = if may_go_on(&error) { Some(SHORT) } else { pause_before_retry(&error, self.failed) };
        let Some(pause) = pause.filter(|_| self.failed < ATTEMPTS) else { return Err(error) };
        bars.complain(&format!("{name}: {error:#}; going on in {} s", pause.as_secs_f32()));
        sleep(pause).await;
        Ok(())
    }
}

/// Somebody else has the upload, or has got further: who asks again is told how far.
fn may_go_on(error: &anyhow::Error) -> bool {
    let refused = error.downcast_ref::<Refused>();
    refused.is_some_and(|refused| matches!(refused.status, StatusCode::CONFLICT | StatusCode::LOCKED))
}
