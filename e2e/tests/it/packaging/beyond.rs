//! A film whose media lies beyond the first 4 GiB of its file, where chunk offsets take 64 bits. The file is a hole but for its
//! ends, and lies in the store before anybody knows of it, so that nobody has to send or hash it.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::Path,
};

use anyhow::{Context, Result, ensure};
use reelgate_common::{
    db::{NewFile, NewJob, StagedFile},
    file::{FileKind, FileState},
    ids::{FileId, JobId, OrgId, UserId},
    job::{DEFAULT_PRIORITY, JobKind},
    key::Key,
};
use reelgate_e2e::{
    process::Folder,
    site::{Footing, Site},
};

use super::{alice, decodes_to, make, recipes, start};

const HOLE: u64 = (4 << 30) + 12_345;

/// The boxes of `bytes`: kind, payload.
fn boxes(bytes: &[u8]) -> Vec<([u8; 4], &[u8])> {
    let (mut found, mut rest) = (Vec::new(), bytes);
    while let Some((head, _)) = rest.split_first_chunk::<8>() {
        let size = u32::from_be_bytes(head[..4].try_into().unwrap()) as usize;
        found.push((head[4..].try_into().unwrap(), &rest[8..size]));
        rest = &rest[size..];
    }
    found
}

fn boxed(kind: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(payload.len() + 8).unwrap().to_be_bytes();
    [&size, &kind[..], payload].concat()
}

/// A movie box, or one inside it, for media that lies `shift` bytes further back.
fn shifted(kind: [u8; 4], payload: &[u8], shift: u64) -> Vec<u8> {
    match &kind {
        b"moov" | b"trak" | b"mdia" | b"minf" | b"stbl" => {
            let inner: Vec<u8> =
                boxes(payload).into_iter().flat_map(|(kind, inner)| shifted(kind, inner, shift)).collect();
            boxed(kind, &inner)
        }
        b"stco" => {
            let (head, offsets) = payload.split_at(8);
            let wide =
                |offset: &[u8]| (u64::from(u32::from_be_bytes(offset.try_into().unwrap())) + shift).to_be_bytes();
            boxed(*b"co64", &[head, &offsets.chunks(4).flat_map(wide).collect::<Vec<_>>()].concat())
        }
        _ => boxed(kind, payload),
    }
}

/// Writes the clip with a hole at the beginning of its media.
fn write_beyond(clip: &[u8], to: &File) -> Result<()> {
    let top = boxes(clip);
    let find = |wanted: &[u8; 4]| top.iter().find(|(kind, _)| kind == wanted).map(|(_, payload)| *payload);
    let (media, movie) = (find(b"mdat").context("mdat")?, find(b"moov").context("moov")?);
    let front = boxed(*b"ftyp", find(b"ftyp").context("ftyp")?);
    let size = 16 + HOLE + media.len() as u64;
    let head = [&front[..], &1_u32.to_be_bytes(), b"mdat", &size.to_be_bytes()].concat();
    let begin = head.len() as u64 + HOLE;
    let was = media.as_ptr() as u64 - clip.as_ptr() as u64;
    to.write_all_at(&head, 0)?;
    to.write_all_at(media, begin)?;
    to.write_all_at(&shifted(*b"moov", movie, begin - was), begin + media.len() as u64)?;
    Ok(())
}

/// An accepted upload whose object is a sparse file in the site's directory.
async fn accepted(site: &Site, clip: &Path) -> Result<(FileId, u64)> {
    let (db, org, file) = (site.database().await?, OrgId::new("acme"), FileId::new());
    let staging_key = Key::Staging { org: org.clone(), file };
    let path = site.storage()?.local_path(&staging_key).context("a store of plain files")?;
    fs::create_dir_all(path.parent().context("a folder")?)?;
    let object = File::create_new(&path)?;
    write_beyond(&fs::read(clip)?, &object)?;
    let size_bytes = object.metadata()?.len();
    db.create_file(&NewFile {
        id: file,
        org_id: org.clone(),
        owner_id: UserId::new("alice"),
        location: format!("2026/11/{file}/beyond.mp4"),
        filename: "beyond.mp4".to_owned(),
        staging_key,
        repeat_key: None,
        labels: reelgate_common::labels::Labels::default(),
    })
    .await?;
    let staged = StagedFile {
        size_bytes,
        sha256: "0".repeat(64),
        content_type: "video/mp4".to_owned(),
        kind: FileKind::Video,
        state: FileState::Staged,
        version: None,
    };
    let job = NewJob { id: JobId::new(), kind: JobKind::Process, priority: DEFAULT_PRIORITY };
    db.stage_file(&org, file, &staged, Some(&job)).await?.context("it was not accepted")?;
    Ok((file, size_bytes))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_film_beyond_four_gib_decodes_to_itself_as_a_file_by_hls_and_by_dash() -> Result<()> {
    let folder = Folder::new("beyond")?;
    let clip = make(&folder, &recipes()[0])?;
    let site = start(Footing::Embedded).await?;
    let (id, size) = accepted(&site, &clip).await?;
    let (client, id) = (alice(&site), id.to_string());
    client.wait_ready(&id).await?;
    decodes_to(&client, &id, &clip, &["", "/master.m3u8", "/manifest.mpd"]).await?;

    // With the index in front; the exact upload has it behind the media.
    let token = client.stream_token(&serde_json::json!({})).await?;
    let stream = format!("/v1/files/stream/{id}?token={token}");
    let front = client.range(&stream, 0..1_000).await?;
    ensure!(front.windows(4).any(|kind| kind == b"moov"), "no index in front");
    let raw = format!("{stream}&rendition=source");
    let across = client.range(&raw, HOLE - 1_000..HOLE + 60_000).await?;
    let upload = folder.path().join("upload.mp4");
    write_beyond(&fs::read(&clip)?, &File::create(&upload)?)?;
    let mut expected = vec![0; across.len()];
    File::open(&upload)?.read_exact_at(&mut expected, HOLE - 1_000)?;
    ensure!(across == expected, "other bytes around the end of the hole");
    // The same media, as far from the end as in the upload.
    ensure!(client.range(&raw, size - 1_000..size).await? != client.range(&stream, size - 1_000..size).await?);
    Ok(())
}
