//! Follows files until nothing more comes of them.

use futures_util::future::try_join_all;
use reelgate_common::ids::FileId;

use super::{file::RemoteFile, progress::Bars, server::Server};

/// The files in the order they were named.
///
/// # Errors
/// One of them is missing, or the server is away.
pub(super) async fn until_done(server: &Server, files: &[FileId], bars: &Bars) -> anyhow::Result<Vec<RemoteFile>> {
    try_join_all(files.iter().map(|file| follow(server, *file, bars))).await
}

async fn follow(server: &Server, id: FileId, bars: &Bars) -> anyhow::Result<RemoteFile> {
    // Before it is looked at: what happens after that is heard.
    let mut news = server.news(id).await;
    let mut file = server.file(id).await?;
    let bar = bars.share(file.name());
    while !file.is_done() {
        bar.set_prefix(file.state().to_owned());
        bar.set_position(per_mille(file.progress()));
        news.wait().await;
        file = server.file(id).await?;
    }
    bar.finish_and_clear();
    Ok(file)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 0 and 1,000")]
fn per_mille(progress: f64) -> u64 {
    (progress.clamp(0.0, 1.0) * 1_000.0) as u64
}
