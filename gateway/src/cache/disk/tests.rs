//! The disk tier by itself: what it keeps, what it finds again, and what it does not believe.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;

use reelgate_common::ids::OrgId;

use super::*;
use crate::{body::KeptFile, cache::object::ObjectName};

const P: u64 = PIECE as u64;
const BLOCK: u64 = 4 * P;

fn object() -> Object {
    Object::new(ObjectName::Source { org: OrgId::new("acme"), file: FileId::new(), sha256: "s".to_owned() })
}

fn open(folder: &Path, limit: u64) -> Disk {
    Disk::open(folder, limit, BLOCK, Pool::default()).unwrap()
}

fn piece(fill: u8) -> Bytes {
    Bytes::from(vec![fill; PIECE])
}

impl Disk {
    /// Keeps and waits until it is kept.
    async fn keep_now(&self, object: &Object, start: u64, pieces: Vec<Bytes>) {
        self.keep(self.leave().unwrap(), object, start, pieces);
        self.idle().await;
    }

    /// The same after a restart: what was written is no longer known to be what was meant.
    async fn keep_and_restart(self, folder: &Path, object: &Object, start: u64, pieces: Vec<Bytes>) -> Self {
        self.keep_now(object, start, pieces).await;
        drop(self);
        open(folder, 1 << 20)
    }

    /// Returns when nothing is being written.
    pub(in crate::cache) async fn idle(&self) {
        let all = u32::try_from(WRITERS).unwrap();
        drop(self.shared.writers.acquire_many(all).await.unwrap());
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] })
        .filter(|path| !path.ends_with(LOCK))
        .collect()
}

#[tokio::test]
async fn what_is_kept_is_found_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, object) = (open(folder.path(), 1 << 20), object());
    disk.keep_now(&object, BLOCK + P, vec![piece(1), piece(2), Bytes::from_static(b"end")]).await;
    drop(disk);
    let disk = open(folder.path(), 1 << 20);
    assert!(!disk.covers(&object, BLOCK) && disk.covers(&object, BLOCK + P) && disk.covers(&object, BLOCK + 3 * P + 2));
    assert!(!disk.covers(&object, BLOCK + 3 * P + 3));
    let read = disk.read(&object, BLOCK + 2 * P..3 * BLOCK).await.unwrap();
    assert_eq!(read, [piece(2), Bytes::from_static(b"end")]);
    assert_eq!(disk.read(&object, BLOCK..2 * BLOCK).await, None);
}

#[tokio::test]
async fn a_torn_block_is_a_miss_and_goes_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, object) = (open(folder.path(), 1 << 20), object());
    disk.keep_now(&object, 0, vec![piece(1), piece(2)]).await;
    let path = files_below(folder.path()).remove(0);
    OpenOptions::new().write(true).open(&path).unwrap().set_len(5_000).unwrap();
    assert_eq!(disk.read(&object, 0..P).await, None);
    assert!(files_below(folder.path()).is_empty(), "it is removed");
    disk.keep_now(&object, 0, vec![piece(1), piece(2)]).await;
    OpenOptions::new().write(true).open(&path).unwrap().set_len(5_000).unwrap();
    fs::write(path.with_extension("draft"), b"half").unwrap();
    drop(disk);
    let disk = open(folder.path(), 1 << 20);
    assert!(!disk.covers(&object, 0));
    assert!(files_below(folder.path()).is_empty(), "both are removed");
}

#[tokio::test]
async fn a_corrupt_piece_is_a_miss_and_its_block_goes() {
    for place in [10, 50, 4096 + P + 10] {
        let folder = tempfile::tempdir().unwrap();
        let (disk, object) = (open(folder.path(), 1 << 20), object());
        let disk = disk.keep_and_restart(folder.path(), &object, 0, vec![piece(1), piece(2)]).await;
        let path = files_below(folder.path()).remove(0);
        OpenOptions::new().write(true).open(&path).unwrap().write_all_at(b"!", place).unwrap();
        assert!(disk.read(&object, 0..2 * P).await.is_none(), "byte {place}");
        assert!(files_below(folder.path()).is_empty() && !disk.covers(&object, 0));
    }
}

#[tokio::test]
async fn a_block_that_is_open_is_read_without_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, object) = (open(folder.path(), 1 << 20), object());
    let disk = disk.keep_and_restart(folder.path(), &object, P, vec![piece(1), Bytes::from_static(b"end")]).await;
    assert_eq!(disk.at_hand(&object, P), None, "nobody has opened it");
    disk.read(&object, P..2 * P).await.unwrap();
    let read = [P, 2 * P].map(|at| disk.at_hand(&object, at).map(|there| there.bytes));
    // Not every file system can tell whether it would have to wait.
    if !disk.shared.must_wait.load(Ordering::Relaxed) {
        assert_eq!(read, [Some(piece(1)), Some(Bytes::from_static(b"end"))]);
    }
    assert_eq!([0, 3 * P, BLOCK].map(|at| disk.at_hand(&object, at)), [None, None, None]);
    disk.forget(object.name().file());
    assert!(disk.at_hand(&object, P).is_none() && disk.shared.open.is_empty());
}

#[tokio::test]
async fn what_was_written_a_moment_ago_is_sent_from_its_file_and_nobody_sums_it() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, object) = (open(folder.path(), 1 << 20), object());
    disk.keep_now(&object, 0, vec![piece(1), piece(2)]).await;
    let part = disk.in_file(&object, P);
    // Not every file system can tell whether it would have to wait.
    if !disk.shared.must_wait.load(Ordering::Relaxed) {
        assert_eq!(part.map(|part| part.bytes), Some(4096 + P..4096 + 2 * P));
    }
    let disk = disk.keep_and_restart(folder.path(), &object, 0, vec![piece(1), piece(2)]).await;
    disk.read(&object, 0..P).await.unwrap();
    assert!(disk.in_file(&object, P).is_none() && disk.in_file(&object, 0).is_some(), "only what was summed");
}

#[tokio::test]
async fn the_kernel_is_asked_once_in_a_while_for_what_is_sent_from_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, object) = (open(folder.path(), 1 << 20), object());
    let disk = disk.keep_and_restart(folder.path(), &object, 0, vec![piece(1), piece(2), piece(3)]).await;
    disk.read(&object, 0..2 * P).await.unwrap();
    let block = disk.shared.open.get(&disk.key(&object, 0)).unwrap();
    let (both, second, third) = (4096..4096 + 2 * P, 4096 + P + 7..4096 + 2 * P, 4096 + 2 * P..4096 + 3 * P);
    let now = Duration::from_secs(1);
    let file = OpenOptions::new().write(true).open(files_below(folder.path()).remove(0)).unwrap();
    if !block.is_at_hand_at(&both, now) {
        return assert!(disk.shared.must_wait.load(Ordering::Relaxed), "it was only now written and read");
    }
    assert!(!block.is_at_hand_at(&third, now), "nobody has summed it");
    file.set_len(4096).unwrap();
    let soon = now + open::TRUSTED - Duration::from_millis(1);
    assert!(block.is_at_hand_at(&both, soon) && block.is_at_hand_at(&second, soon), "it was found a moment ago");
    assert!(!block.is_at_hand_at(&both, now + open::TRUSTED) && !block.is_at_hand_at(&second, now + open::TRUSTED));
    block.distrust(&second);
    assert!(block.is_at_hand_at(&(4096..4096 + P), soon), "the first piece is not meant");
    assert!(!block.is_at_hand_at(&both, soon), "somebody found it short");
    assert_eq!(disk.read(&object, P..2 * P).await, None, "and so it is read, and is a miss");
}

#[tokio::test]
async fn only_a_piece_that_is_asked_for_often_is_to_be_kept_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, object) = (open(folder.path(), 1 << 20), object());
    disk.keep_now(&object, 0, vec![piece(1), piece(2)]).await;
    disk.read(&object, 0..P).await.unwrap();
    let hot = |at| disk.at_hand(&object, at).is_some_and(|there| there.is_hot);
    let times = (0..40).filter(|_| hot(0)).count();
    assert!(times == 5 || disk.shared.must_wait.load(Ordering::Relaxed), "{times}");
    assert!(!hot(P));
}

#[tokio::test]
async fn a_corrupt_piece_of_an_open_block_is_a_miss() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, object) = (open(folder.path(), 1 << 20), object());
    let disk = disk.keep_and_restart(folder.path(), &object, 0, vec![piece(1), piece(2)]).await;
    disk.read(&object, 0..P).await.unwrap();
    let path = files_below(folder.path()).remove(0);
    let spoil = |place| OpenOptions::new().write(true).open(&path).unwrap().write_all_at(b"!", place).unwrap();
    spoil(4096 + P + 10);
    assert_eq!(disk.at_hand(&object, P), None, "it was not read before");
    // Whoever has to wait for a piece gets it summed, also when that was done before.
    spoil(4096 + 10);
    assert_eq!(disk.read(&object, 0..P).await, None);
    assert!(!disk.covers(&object, 0) && disk.shared.open.is_empty());
}

#[tokio::test]
async fn a_block_that_became_shorter_while_it_is_open_is_a_miss() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, object) = (open(folder.path(), 1 << 20), object());
    disk.keep_now(&object, 0, vec![piece(1), piece(2)]).await;
    disk.read(&object, 0..2 * P).await.unwrap();
    let path = files_below(folder.path()).remove(0);
    OpenOptions::new().write(true).open(&path).unwrap().set_len(4096 + P + 5).unwrap();
    assert_eq!(disk.at_hand(&object, P), None);
    assert_eq!(disk.read(&object, 0..2 * P).await, None);
}

#[tokio::test]
async fn a_block_under_another_name_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, object) = (open(folder.path(), 1 << 20), object());
    disk.keep_now(&object, 0, vec![piece(1)]).await;
    let path = files_below(folder.path()).remove(0);
    let name = path.file_name().unwrap().to_str().unwrap().replace(".0.0.", ".1.0.");
    fs::rename(&path, path.with_file_name(name)).unwrap();
    drop(disk);
    let disk = open(folder.path(), 1 << 20);
    assert!(disk.covers(&object, BLOCK));
    assert_eq!(disk.read(&object, BLOCK..BLOCK + P).await, None);
}

#[tokio::test]
async fn the_limit_holds_for_what_lies_there() {
    let folder = tempfile::tempdir().unwrap();
    let limit = 3 * (BLOCK + 4096);
    let (disk, object) = (open(folder.path(), limit), object());
    for block in 0..10 {
        disk.keep_now(&object, block * BLOCK, vec![piece(1), piece(2), piece(3), piece(4)]).await;
        let bytes: u64 = files_below(folder.path()).iter().map(|path| path.metadata().unwrap().len()).sum();
        assert!(bytes <= limit && bytes == disk.weight(), "{bytes}");
    }
    assert_eq!(files_below(folder.path()).len(), 3);
    drop(disk);
    assert_eq!((open(folder.path(), limit / 3).weight(), files_below(folder.path()).len()), (limit / 3, 1));
}

#[tokio::test]
async fn a_fuller_part_of_a_block_takes_its_place_and_a_lesser_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, object) = (open(folder.path(), 1 << 20), object());
    disk.keep_now(&object, P, vec![piece(1)]).await;
    disk.keep_now(&object, 0, vec![piece(0), piece(1)]).await;
    disk.keep_now(&object, P, vec![piece(9)]).await;
    assert_eq!(files_below(folder.path()).len(), 1);
    assert_eq!(disk.read(&object, 0..2 * P).await.unwrap(), [piece(0), piece(1)]);
}

#[tokio::test]
async fn a_forgotten_file_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, object) = (open(folder.path(), 1 << 20), object());
    disk.keep_now(&object, 0, vec![piece(1)]).await;
    assert_eq!(disk.files(), [object.name().file()]);
    disk.forget(object.name().file());
    assert!(disk.files().is_empty() && files_below(folder.path()).is_empty());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "only the lock");
}

#[tokio::test]
async fn a_disk_that_cannot_be_written_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, object) = (open(folder.path(), 1 << 20), object());
    // A file where the folder should be: whoever runs the tests, this cannot be written.
    fs::write(folder.path().join(object.name().file().to_string()), b"").unwrap();
    disk.keep_now(&object, 0, vec![piece(1)]).await;
    assert!(!disk.covers(&object, 0) && disk.leave().is_none());
}

#[test]
fn a_folder_has_one_owner() {
    let folder = tempfile::tempdir().unwrap();
    let _disk = open(folder.path(), 1 << 20);
    assert!(Disk::open(folder.path(), 1 << 20, BLOCK, Pool::default()).is_err());
}
