//! Walks through the parts of one request: files become transfers, fields say what the files behind them bear, or are counted and
//! thrown away.
//!
//! A file that fails does not fail the ones before it, nor those after it as long as the form can be read on.

use bytes::Bytes;
use http_body_util::BodyExt;
use reelgate_common::{auth::Caller, backends::Backends, db::FileWithRenditions, labels::Labels};

use super::{
    Uploads,
    budget::Evicted,
    error::UploadError,
    fields::Field,
    location,
    multipart::{Event, Parser, PartHead},
    repeat::{Repeat, RepeatKey},
    transfer::{Begun, Transfer},
};
use crate::body::RequestBody;

/// How much of a failed file is read on for the sake of the files behind it.
const MAX_SKIPPED: u64 = 64 << 20;

/// What became of one file.
pub(crate) enum Outcome {
    Stored(Box<FileWithRenditions>),
    Failed { filename: String, error: UploadError },
}

/// What the part being read is.
enum Current {
    Nothing,
    /// Its text, if anything is done with it.
    Field(Option<(Field, Vec<u8>)>),
    File(Box<Transfer>),
    /// One that was sent before.
    Repeated(Box<Repeat>),
    /// The rest of a file that has failed.
    Failed,
}

pub(crate) struct Form<'a> {
    uploads: &'a Uploads,
    backends: &'a Backends,
    caller: &'a Caller,
    length: Option<u64>,
    repeat_key: Option<RepeatKey>,
    /// Of the files that follow.
    labels: Labels,
    current: Current,
    files: usize,
    fields: usize,
    field_bytes: usize,
    skipped: u64,
    received: u64,
    outcomes: Vec<Outcome>,
}

impl<'a> Form<'a> {
    pub(crate) fn new(
        uploads: &'a Uploads,
        backends: &'a Backends,
        caller: &'a Caller,
        length: Option<u64>,
        repeat_key: Option<RepeatKey>,
    ) -> Self {
        Self {
            uploads,
            backends,
            caller,
            length,
            repeat_key,
            labels: Labels::default(),
            current: Current::Nothing,
            files: 0,
            fields: 0,
            field_bytes: 0,
            skipped: 0,
            received: 0,
            outcomes: Vec::new(),
        }
    }

    /// Reads the whole form. An error before any file has an outcome is the request's; later ones become an outcome.
    pub(crate) async fn receive(mut self, parser: Parser, body: RequestBody) -> Result<Vec<Outcome>, UploadError> {
        let ended = self.read(parser, body).await;
        let current = std::mem::replace(&mut self.current, Current::Nothing);
        match (ended, current) {
            (Ok(()), _) => {}
            (Err(error), Current::File(transfer)) => self.fail(transfer.filename().to_owned(), error),
            (Err(error), Current::Repeated(repeat)) => self.fail(repeat.filename().to_owned(), error),
            (Err(error), _) if self.outcomes.is_empty() => return Err(error),
            (Err(error), _) => self.fail(String::new(), error),
        }
        Ok(self.outcomes)
    }

    async fn read(&mut self, mut parser: Parser, mut body: RequestBody) -> Result<(), UploadError> {
        while let Some(chunk) = self.next_chunk(&mut body).await? {
            self.received += chunk.len() as u64;
            let limit = self.uploads.config.request_limit();
            if self.received > limit {
                return Err(UploadError::RequestTooLarge { limit });
            }
            parser.send(chunk);
            while let Some(event) = parser.receive()? {
                self.take(event).await?;
            }
        }
        Ok(parser.finish()?)
    }

    async fn next_chunk(&mut self, body: &mut RequestBody) -> Result<Option<Bytes>, UploadError> {
        let eviction = match &self.current {
            Current::File(transfer) => Some(transfer.eviction()),
            _ => None,
        };
        loop {
            let frame = match &eviction {
                Some(eviction) => eviction.run_until_cancelled(body.frame()).await.ok_or(Evicted)?,
                None => body.frame().await,
            };
            match frame.transpose()?.map(http_body::Frame::into_data) {
                None => return Ok(None),
                Some(Ok(data)) => return Ok(Some(data)),
                Some(Err(_trailers)) => {}
            }
        }
    }

    async fn take(&mut self, event: Event) -> Result<(), UploadError> {
        match event {
            Event::Part(head) => self.begin(head).await,
            Event::Data(data) => self.data(data).await,
            Event::PartEnd => self.end().await,
            Event::End => Ok(()),
        }
    }

    async fn begin(&mut self, head: PartHead) -> Result<(), UploadError> {
        let config = &self.uploads.config;
        if !head.is_file() {
            self.fields += 1;
            self.current = Current::Field(Field::named(&head.name).map(|field| (field, Vec::new())));
            let too_many = self.fields > config.max_fields;
            return if too_many { Err(UploadError::TooManyFields(config.max_fields)) } else { Ok(()) };
        }
        self.files += 1;
        if self.files > config.max_files {
            return Err(UploadError::TooManyFiles(config.max_files));
        }
        let key = self.repeat_key.as_ref().map(|key| key.of_file(self.files));
        let said = (self.length, key, self.labels.clone());
        match Transfer::begin(self.uploads, self.backends, self.caller, &head, said).await {
            Ok(Begun::New(transfer)) => {
                self.current = Current::File(transfer);
                Ok(())
            }
            Ok(Begun::Repeats(repeat)) => {
                self.current = Current::Repeated(repeat);
                Ok(())
            }
            Err(error) => self.fail_current(location::display_name(&head.filename.unwrap_or_default()), error),
        }
    }

    async fn data(&mut self, data: Bytes) -> Result<(), UploadError> {
        match &mut self.current {
            Current::Nothing => Ok(()),
            Current::Field(kept) => {
                if let Some((_, text)) = kept {
                    text.extend_from_slice(&data);
                }
                self.count_field(data.len())
            }
            Current::Failed => self.skip(data.len() as u64),
            Current::Repeated(repeat) => match repeat.write(&data) {
                Ok(()) => Ok(()),
                Err(error) => {
                    let filename = repeat.filename().to_owned();
                    self.fail_current(filename, error)
                }
            },
            Current::File(transfer) => match transfer.write(data).await {
                Ok(()) => Ok(()),
                Err(error) if error.ends_request() => Err(error),
                Err(error) => {
                    let filename = transfer.filename().to_owned();
                    self.fail_current(filename, error)
                }
            },
        }
    }

    async fn end(&mut self) -> Result<(), UploadError> {
        let (filename, ended) = match std::mem::replace(&mut self.current, Current::Nothing) {
            Current::File(transfer) => (transfer.filename().to_owned(), transfer.finish().await),
            Current::Repeated(repeat) => (repeat.filename().to_owned(), repeat.finish().await),
            Current::Field(Some((field, text))) => return field.read(&text, &mut self.labels),
            Current::Nothing | Current::Field(None) | Current::Failed => return Ok(()),
        };
        match ended {
            Ok(stored) => self.outcomes.push(Outcome::Stored(Box::new(stored))),
            Err(error) => self.fail(filename, error),
        }
        Ok(())
    }

    fn count_field(&mut self, bytes: usize) -> Result<(), UploadError> {
        let limit = self.uploads.config.max_field_bytes;
        self.field_bytes += bytes;
        if self.field_bytes > limit { Err(UploadError::FieldsTooLong(limit)) } else { Ok(()) }
    }

    /// Reads over what is left of a failed file, within bounds; beyond them the form ends with that failure.
    fn skip(&mut self, bytes: u64) -> Result<(), UploadError> {
        self.skipped += bytes;
        let limit = self.uploads.config.max_file_bytes;
        if self.skipped > MAX_SKIPPED { Err(UploadError::RequestTooLarge { limit }) } else { Ok(()) }
    }

    /// Ends the current file. Replacing it drops its transfer, which undoes itself.
    fn fail_current(&mut self, filename: String, error: UploadError) -> Result<(), UploadError> {
        self.current = Current::Failed;
        self.fail(filename, error);
        Ok(())
    }

    fn fail(&mut self, filename: String, error: UploadError) {
        self.outcomes.push(Outcome::Failed { filename, error });
    }
}
