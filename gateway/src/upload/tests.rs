//! Whole uploads on SQLite and a directory: what is stored, and that nothing is left of what is not.

use bytes::Bytes;
use reelgate_common::{
    db::{FileFilter, FileWithRenditions},
    file::{FileKind, FileState},
    quota::Quota,
};
use sha2::{Digest, Sha256};

use super::{
    Uploads,
    config::UploadConfig,
    error::UploadError,
    fixture::Fixture,
    form::{Form, Outcome},
    multipart::{Parser, PartHead},
    transfer::{Begun, Transfer},
};
use crate::body::RequestBody;

const PART: usize = 64 * 1024;

fn config() -> UploadConfig {
    UploadConfig {
        max_file_bytes: 2 << 20,
        max_request_bytes: 64 << 20,
        min_part_bytes: PART as u64,
        memory_bytes: 4 * PART,
        max_files: 3,
        max_fields: 10,
        max_field_bytes: 1_000,
        ..UploadConfig::default()
    }
}

fn part(disposition: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("--XX\r\nContent-Disposition: form-data; {disposition}\r\n\r\n");
    [head.as_bytes(), content, b"\r\n"].concat()
}

fn file(name: &str, content: &[u8]) -> Vec<u8> {
    part(&format!("name=\"files\"; filename=\"{name}\""), content)
}

fn form(parts: &[Vec<u8>]) -> Vec<u8> {
    [parts.concat(), b"--XX--\r\n".to_vec()].concat()
}

/// Bytes that differ everywhere and look like nothing known.
fn noise(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n * 31 + n / 251) as u8 | 0x80).collect()
}

struct Bench {
    fixture: Fixture,
    uploads: Uploads,
}

impl Bench {
    async fn new() -> Self {
        Self { fixture: Fixture::new().await, uploads: Uploads::new(&config(), Quota::default()) }
    }

    async fn send(&self, body: &[u8]) -> Result<Vec<Outcome>, UploadError> {
        let caller = Fixture::caller();
        let chunks = body.chunks(10_000).map(Bytes::copy_from_slice).collect();
        let form = Form::new(&self.uploads, &self.fixture.backends, &caller, None, None);
        form.receive(Parser::new("XX", 16 * 1024).unwrap(), RequestBody::of(chunks)).await
    }

    async fn rows(&self) -> Vec<FileWithRenditions> {
        let filter = FileFilter { limit: 200, ..FileFilter::default() };
        self.fixture.backends.db.list_files(&Fixture::caller().org, &filter).await.unwrap()
    }

    /// That rows and objects are those of the stored files, and that no memory is held.
    async fn holds_only(&self, stored: usize) {
        self.uploads.settle().await;
        assert_eq!(self.rows().await.len(), stored, "rows");
        assert_eq!(self.fixture.objects(), stored, "objects");
        assert_eq!(self.uploads.held_bytes(), 0, "memory");
        assert!(self.uploads.live.list().is_empty(), "live uploads");
    }
}

fn stored(outcome: &Outcome) -> &FileWithRenditions {
    match outcome {
        Outcome::Stored(stored) => stored,
        Outcome::Failed { filename, error } => panic!("{filename}: {error:?}"),
    }
}

fn error(outcome: &Outcome) -> &UploadError {
    match outcome {
        Outcome::Stored(_) => panic!("stored"),
        Outcome::Failed { error, .. } => error,
    }
}

#[tokio::test]
async fn several_files_are_stored_whatever_their_fields_are_called() {
    let bench = Bench::new().await;
    let long = noise(5 * PART + 17);
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    let body = form(&[
        file("film.mp4", &long),
        part("name=title", b"a text field"),
        part("name=\"other[]\"; filename=\"a.png\"", &png),
        part("name=avatar; filename=\"empty.txt\"", b""),
    ]);
    let outcomes = bench.send(&body).await.unwrap();
    let files: Vec<_> = outcomes.iter().map(|outcome| &stored(outcome).file).collect();
    assert_eq!(files[0].size_bytes, long.len() as u64);
    assert_eq!(files[0].sha256, format!("{:x}", HexDigest(&long)));
    assert_eq!((files[0].state, files[0].kind), (FileState::Staged, FileKind::Other));
    assert_eq!((files[1].state, files[1].kind), (FileState::Ready, FileKind::Image));
    assert_eq!((files[1].content_type.as_str(), files[2].size_bytes), ("image/png", 0));
    assert_eq!(bench.fixture.queue.len(), 1, "only the film is processed");
    let meta = bench.fixture.backends.storage.head(&files[0].source_key).await.unwrap();
    assert_eq!(meta.size, long.len() as u64);
    bench.holds_only(3).await;
}

struct HexDigest<'a>(&'a [u8]);

impl std::fmt::LowerHex for HexDigest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Sha256::digest(self.0).iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[tokio::test]
async fn a_client_that_leaves_at_99_percent_leaves_nothing() {
    let bench = Bench::new().await;
    let whole = form(&[file("film.mp4", &noise(5 * PART))]);
    let outcomes = bench.send(&whole[..whole.len() - 2_000]).await.unwrap();
    assert!(matches!(error(&outcomes[0]), UploadError::Malformed(_)));
    bench.holds_only(0).await;
}

#[tokio::test]
async fn a_request_that_is_dropped_half_way_is_undone() {
    let bench = Bench::new().await;
    let whole = form(&[file("film.mp4", &noise(5 * PART))]);
    for polls in [1, 3, 9] {
        // Polled a few times, then dropped, as hyper drops a handler whose connection has gone.
        let mut request = Box::pin(bench.send(&whole));
        for _ in 0..polls {
            assert!(futures_util::poll!(request.as_mut()).is_pending());
            tokio::task::yield_now().await;
        }
        drop(request);
        bench.uploads.settle().await;
        let uploading = bench.rows().await.iter().filter(|row| row.file.state == FileState::Uploading).count();
        assert_eq!(uploading, 0);
    }
    bench.holds_only(bench.rows().await.len()).await;
}

#[tokio::test]
async fn a_store_that_fails_in_one_file_keeps_the_others() {
    let bench = Bench::new().await;
    bench.fixture.storage.fail_from_part(2);
    let body = form(&[file("big.mp4", &noise(5 * PART)), file("small.mp4", &noise(1_000))]);
    let outcomes = bench.send(&body).await.unwrap();
    assert!(matches!(error(&outcomes[0]), UploadError::Storage(_)));
    assert_eq!(stored(&outcomes[1]).file.size_bytes, 1_000);
    bench.holds_only(1).await;
    bench.fixture.storage.heal();
}

#[tokio::test]
async fn an_answer_that_the_store_lost_is_no_failure() {
    let bench = Bench::new().await;
    bench.fixture.storage.lose_replies();
    let body = form(&[file("big.mp4", &noise(3 * PART)), file("small.mp4", &noise(1_000))]);
    for outcome in bench.send(&body).await.unwrap() {
        stored(&outcome);
    }
    bench.holds_only(2).await;
}

#[tokio::test]
async fn a_file_is_cut_at_the_limit_and_the_next_one_is_stored() {
    let bench = Bench::new().await;
    let body = form(&[file("huge.mp4", &noise((2 << 20) + 1)), file("small.mp4", &noise(10))]);
    let outcomes = bench.send(&body).await.unwrap();
    assert!(matches!(error(&outcomes[0]), UploadError::FileTooLarge { .. }));
    stored(&outcomes[1]);
    bench.holds_only(1).await;
}

#[tokio::test]
async fn files_fields_and_their_text_are_counted() {
    let bench = Bench::new().await;
    let four = form(&vec![file("a.bin", b"x"); 4]);
    let outcomes = bench.send(&four).await.unwrap();
    assert!(matches!(error(&outcomes[3]), UploadError::TooManyFiles(3)));
    let fields = form(&vec![part("name=a", b"x"); 100_000]);
    assert!(matches!(bench.send(&fields).await, Err(UploadError::TooManyFields(10))));
    let text = form(&[part("name=a", &vec![b'x'; 1 << 20])]);
    assert!(matches!(bench.send(&text).await, Err(UploadError::FieldsTooLong(1_000))));
    bench.holds_only(3).await;
}

#[tokio::test]
async fn an_upload_succeeds_while_the_queue_is_away() {
    let bench = Bench::new().await;
    bench.fixture.queue.set_away(true);
    let outcomes = bench.send(&form(&[file("film.mp4", &noise(100))])).await.unwrap();
    assert_eq!(stored(&outcomes[0]).file.state, FileState::Staged);
    assert_eq!(bench.fixture.queue.len(), 0);
    bench.holds_only(1).await;
}

#[tokio::test]
async fn an_upload_that_was_closed_meanwhile_drops_its_object() {
    let bench = Bench::new().await;
    for length in [100, 5 * PART] {
        let head = PartHead { filename: Some("film.mp4".to_owned()), ..PartHead::default() };
        let (backends, caller) = (&bench.fixture.backends, Fixture::caller());
        let said = (None, None, reelgate_common::labels::Labels::default());
        let begun = Transfer::begin(&bench.uploads, backends, &caller, &head, said).await.unwrap();
        let Begun::New(mut transfer) = begun else { panic!("nothing was sent before") };
        transfer.write(noise(length).into()).await.unwrap();
        let file = bench.uploads.live.list()[0];
        backends.db.abandon_upload(&caller.org, file).await.unwrap();
        assert!(matches!(transfer.finish().await, Err(UploadError::Closed)));
    }
    bench.holds_only(0).await;
}

#[tokio::test]
async fn a_repetition_whose_first_one_fails_is_to_come_again() {
    let bench = Bench::new().await;
    let head = PartHead { filename: Some("film.mp4".to_owned()), ..PartHead::default() };
    let (backends, caller) = (&bench.fixture.backends, Fixture::caller());
    let begin = || {
        let said = (None, Some("one key".to_owned()), reelgate_common::labels::Labels::default());
        Transfer::begin(&bench.uploads, backends, &caller, &head, said)
    };
    let Begun::New(first) = begin().await.unwrap() else { panic!("nothing was sent before") };
    let Begun::Repeats(again) = begin().await.unwrap() else { panic!("it was begun before") };
    drop(first);
    assert!(matches!(again.finish().await, Err(UploadError::StillArriving)));
    assert!(matches!(begin().await.unwrap(), Begun::New(_)), "its key is free");
    bench.holds_only(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_uploads_share_a_budget_of_four_parts() {
    let bench = Bench::new().await;
    let body = form(&[file("film.mp4", &noise(6 * PART + 5))]);
    let all = futures_util::future::join_all((0..20).map(|_| bench.send(&body))).await;
    for outcomes in all {
        stored(&outcomes.unwrap()[0]);
    }
    bench.holds_only(20).await;
}

#[tokio::test]
async fn a_file_that_is_not_what_its_digest_says_is_not_stored() {
    let bench = Bench::new().await;
    let said = super::tus::checksum::repr_digest(&format!("{:x}", HexDigest(b"hello"))).unwrap();
    let with = |content: &[u8], digest: &str| {
        let head =
            format!("--XX\r\nContent-Disposition: form-data; name=a; filename=a.txt\r\nRepr-Digest: {digest}\r\n\r\n");
        [head.as_bytes(), content, b"\r\n"].concat()
    };
    let body = form(&[with(b"hello", &said), with(b"hellO", &said), with(b"hello", "sha-256=:x:")]);
    let outcomes = bench.send(&body).await.unwrap();
    stored(&outcomes[0]);
    assert!(matches!(error(&outcomes[1]), UploadError::DigestMismatch));
    assert!(matches!(error(&outcomes[2]), UploadError::BadDigest));
    bench.holds_only(1).await;
}

#[tokio::test]
async fn an_organisation_has_no_more_than_its_quota_however_many_upload_at_once() {
    let fixture = Fixture::new().await;
    let quota = Quota { bytes: 3_500, files: 4, uploads: 0 };
    let bench = Bench { fixture, uploads: Uploads::new(&config(), quota) };
    let body = form(&[file("a.bin", &noise(1_000))]);
    let all = futures_util::future::join_all((0..8).map(|_| bench.send(&body))).await;
    let outcomes: Vec<Outcome> = all.into_iter().flat_map(Result::unwrap).collect();
    let kept = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Stored(_))).count();
    assert_eq!(kept, 3);
    for refused in outcomes.iter().filter(|outcome| !matches!(outcome, Outcome::Stored(_))) {
        assert!(matches!(error(refused), UploadError::OverQuota(_)), "{:?}", error(refused));
    }
    bench.holds_only(3).await;
    let used = bench.fixture.backends.db.usage(&Fixture::caller().org).await.unwrap();
    assert_eq!((used.bytes, used.files, used.uploads), (3_000, 3, 0));
}
