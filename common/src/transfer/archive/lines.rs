//! Lists of an archive: a JSON value on each line, counted and hashed as they are written and as they are read.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
};

use futures_util::{StreamExt, stream, stream::BoxStream};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use super::{TransferError, failed};
use crate::{hex::hex, transfer::PAGE};

/// Bytes read at once for a digest.
const CHUNK: usize = 1 << 20;

/// How long a list is, and SHA-256 in hex of its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Digested {
    lines: u64,
    sha256: String,
}

/// A list that is being written.
pub(super) struct Lines {
    path: PathBuf,
    file: BufWriter<File>,
    hash: Sha256,
    lines: u64,
}

impl Lines {
    pub(super) fn create(path: &Path) -> Result<Self, TransferError> {
        let file = BufWriter::new(File::create(path).map_err(failed(path))?);
        Ok(Self { path: path.to_owned(), file, hash: Sha256::new(), lines: 0 })
    }

    pub(super) fn write(&mut self, value: &impl Serialize) -> Result<(), TransferError> {
        let mut line = serde_json::to_vec(value).map_err(|error| TransferError::Archive(error.to_string()))?;
        line.push(b'\n');
        self.hash.update(&line);
        self.lines += 1;
        self.file.write_all(&line).map_err(failed(&self.path))
    }

    /// On disk when it returns.
    pub(super) fn finish(mut self) -> Result<Digested, TransferError> {
        let synced = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        synced.map_err(failed(&self.path))?;
        Ok(Digested { lines: self.lines, sha256: hex(&self.hash.finalize()) })
    }
}

/// # Errors
/// The list is not there, or not what was written.
pub(super) fn check(path: &Path, expected: &Digested) -> Result<(), TransferError> {
    let found = hash(path).map_err(failed(path))?;
    if found == expected.sha256 {
        return Ok(());
    }
    Err(TransferError::Archive(format!("{} is not what was exported", path.display())))
}

fn hash(path: &Path) -> io::Result<String> {
    let (mut file, mut hash, mut chunk) = (File::open(path)?, Sha256::new(), vec![0; CHUNK]);
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hex(&hash.finalize())),
            read => hash.update(&chunk[..read]),
        }
    }
}

/// The values of a list, a page at a time.
pub(super) fn pages<T: DeserializeOwned + Send + 'static>(
    path: PathBuf,
) -> BoxStream<'static, Result<Vec<T>, TransferError>> {
    let pages = stream::try_unfold(None::<BufReader<File>>, move |open| {
        let path = path.clone();
        async move {
            let mut file = match open {
                Some(file) => file,
                None => BufReader::new(File::open(&path).map_err(failed(&path))?),
            };
            let page = page(&mut file, &path)?;
            Ok((!page.is_empty()).then_some((page, Some(file))))
        }
    });
    pages.boxed()
}

fn page<T: DeserializeOwned>(file: &mut BufReader<File>, path: &Path) -> Result<Vec<T>, TransferError> {
    let mut page = Vec::new();
    let mut line = String::new();
    while (page.len() as u64) < PAGE && file.read_line(&mut line).map_err(failed(path))? > 0 {
        let value = serde_json::from_str(&line);
        page.push(value.map_err(|error| TransferError::Archive(format!("{}: {error}", path.display())))?);
        line.clear();
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt;

    use super::*;

    #[tokio::test]
    async fn what_was_written_is_read_in_pages_and_a_changed_list_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.jsonl");
        let mut lines = Lines::create(&path).unwrap();
        (0..PAGE * 2 + 1).for_each(|number| lines.write(&number).unwrap());
        let digested = lines.finish().unwrap();
        check(&path, &digested).unwrap();
        let read: Vec<Vec<u64>> = pages(path.clone()).try_collect().await.unwrap();
        assert_eq!(read.iter().map(Vec::len).collect::<Vec<_>>(), [200, 200, 1]);
        assert!(read.concat().into_iter().eq(0..PAGE * 2 + 1));
        std::fs::write(&path, "1\n").unwrap();
        assert!(check(&path, &digested).is_err());
    }

    #[tokio::test]
    async fn an_empty_list_has_no_pages() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.jsonl");
        Lines::create(&path).unwrap().finish().unwrap();
        assert!(pages::<u64>(path).try_collect::<Vec<_>>().await.unwrap().is_empty());
    }
}
