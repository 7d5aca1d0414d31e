//! The plain page, which stands at `/` where nobody has built the other, and at `/plain` in any case: from the empty list to the deletion,
//! by its own form and buttons. It is opened as `reelgate all --demo` opens `/`.

use anyhow::{Context, Result, ensure};
use reelgate_e2e::{
    browser::Browser,
    film::Film,
    process::Folder,
    site::{Footing, Site},
};

#[tokio::test(flavor = "multi_thread")]
async fn the_plain_page_uploads_lists_plays_and_deletes() -> Result<()> {
    let folder = Folder::new("browser")?;
    let path = Film { seconds: 6, ..Film::default() }.make(folder.path())?;
    let site = Site::builder(Footing::Embedded).demo().start().await?;
    let address = site.demo_address()?.replace("/#jwt=", "/plain#jwt=");
    let browser = Browser::start().await?;
    let page = browser.page(&address).await?;
    page.until("!document.getElementById('nothing').hidden").await.context("it says that there are no files")?;
    ensure!(page.evaluate("location.hash").await? == "", "the sign-in stays in the address bar");

    page.choose_file("#files", &path).await?;
    let play = "document.querySelector('button[data-key^=play-]')";
    page.until(&format!("{play}?.disabled === false")).await.context("the file can be played")?;
    let name = page.evaluate("document.querySelector('#list td').textContent").await?;
    ensure!(path.file_name().unwrap().to_str() == name.as_str(), "listed as {name}");

    page.evaluate(&format!("{play}.click()")).await?;
    let video = "document.getElementById('video')";
    page.until(&format!("{video}.currentTime > 1")).await.context("it plays")?;
    page.until(&format!("{video}.ended")).await.context("it plays to its end")?;
    page.until(&format!("{video}.getVideoPlaybackQuality().totalVideoFrames > 100")).await?;

    page.evaluate("document.getElementById('close').click()").await?;
    page.evaluate("setTimeout(() => document.querySelector('button[data-key^=del-]').click(), 0)").await?;
    page.confirm().await?;
    page.until("!document.getElementById('nothing').hidden").await.context("it is gone from the list")?;
    ensure!(page.complaints().is_empty(), "{}", page.log());
    Ok(())
}
