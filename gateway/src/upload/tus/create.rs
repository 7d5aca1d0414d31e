//! `POST /v1/uploads`: an upload is begun. The one place where it is asked who may: the address that is answered is the right to go on.

use http::HeaderMap;
use reelgate_common::{
    auth::Caller,
    db::BegunResumable,
    ids::FileId,
    resumable::{NewResumable, Resumable, Role},
    timestamp::Timestamp,
};

use super::{
    Desk, Secret, answer,
    error::TusError,
    headers::{Append, BadHead, Creation, Kind},
    metadata::Metadata,
    receive::Received,
    take::Outcome,
    tokens::Warrant,
};
use crate::{
    body::RequestBody,
    error::ApiError,
    respond::Response,
    upload::{error::UploadError, location},
};

impl Desk {
    pub(super) async fn create(self, headers: &HeaderMap, body: RequestBody) -> Result<Response, ApiError> {
        let warrant = self.warrant(headers).await?;
        let mut asked = Creation::parse(headers).map_err(TusError::from)?;
        warrant.narrow(&mut asked.metadata)?;
        asked.metadata.labels().map_err(|_| TusError::from(BadHead::Header("Upload-Metadata")))?;
        let _place = self.uploads().admission.enter(self.db(), &warrant.caller.org).await?;
        match std::mem::replace(&mut asked.kind, Kind::Whole(None)) {
            Kind::Final(pieces) => Ok(self.put_together(&warrant, &pieces, &asked.metadata).await?),
            Kind::Whole(length) => Ok(self.begin(&warrant, Role::Whole, length, asked, body).await?),
            Kind::Partial(length) => Ok(self.begin(&warrant, Role::Partial, length, asked, body).await?),
        }
    }

    async fn begin(
        self,
        warrant: &Warrant,
        role: Role,
        length: Option<u64>,
        asked: Creation,
        body: RequestBody,
    ) -> Result<Response, TusError> {
        let secret = self.enrol(warrant, role, length, &asked.metadata).await?;
        if !asked.has_body && length != Some(0) {
            return Ok(answer::created(&secret, &self.find(&secret).await?));
        }
        let (body, body_length) =
            if asked.has_body { (body, asked.body_length) } else { (RequestBody::none(), Some(0)) };
        let piece = Append { offset: 0, length: None, body_length, checksum: asked.checksum, last: false };
        let (upload, received) = self.first_piece(&secret, piece, body).await?;
        let mut response = answer::created(&secret, &upload);
        if asked.has_body {
            answer::set_offset(&mut response, received.bytes);
        }
        answer::set_digest(&mut response, received.sha256.as_deref());
        Ok(response)
    }

    /// The rows of a new upload.
    pub(super) async fn enrol(
        &self,
        warrant: &Warrant,
        role: Role,
        length: Option<u64>,
        metadata: &Metadata,
    ) -> Result<Secret, TusError> {
        let secret = Secret::random();
        let mut new = self.new_upload(&secret, &warrant.caller, role, metadata);
        new.max_bytes = new.max_bytes.min(warrant.max_bytes);
        if length.is_some_and(|length| length > new.max_bytes) {
            return Err(UploadError::FileTooLarge { limit: new.max_bytes }.into());
        }
        new.length = length;
        new.part_bytes = self.uploads().config.part_bytes(length);
        self.insert(&new, warrant.token.as_deref()).await?;
        Ok(secret)
    }

    /// What came with the request. When it is refused nobody knows of the upload, so nothing is left of it.
    pub(super) async fn first_piece(
        self,
        secret: &Secret,
        piece: Append,
        body: RequestBody,
    ) -> Result<(Resumable, Received), TusError> {
        let Outcome::Taken(taken) = self.take(secret).await? else { return Err(TusError::NotFound) };
        let upload = taken.hold.resumable.clone();
        let received = match self.clone().receive(*taken, piece, body).await {
            Ok(received) => received,
            Err(error) => {
                super::finish::close(&self.backends(), &upload.org_id, upload.file_id, Some(&upload)).await?;
                return Err(error);
            }
        };
        let upload = self.db().find_resumable(&secret.digest()).await?.unwrap_or(upload);
        Ok((upload, received))
    }

    pub(super) fn new_upload(&self, secret: &Secret, caller: &Caller, role: Role, metadata: &Metadata) -> NewResumable {
        let file_id = FileId::new();
        let sent = metadata.text("filename").or_else(|| metadata.text("name")).unwrap_or_default();
        let filename = location::display_name(&sent);
        NewResumable {
            address: secret.digest(),
            file_id,
            org_id: caller.org.clone(),
            owner_id: caller.user.clone(),
            role,
            location: location::location(Timestamp::now(), file_id, &filename),
            filename,
            claimed_type: metadata.text("filetype").or_else(|| metadata.text("type")),
            metadata: metadata.header(),
            // Read before, when the upload was asked for.
            labels: metadata.labels().unwrap_or_default(),
            sources: Vec::new(),
            length: None,
            max_bytes: self.uploads().config.max_file_bytes,
            part_bytes: self.uploads().config.part_bytes(None),
            lasts: self.config().lasts(),
            quota: self.quota(),
        }
    }

    /// True when it is new, false when there was one with this address.
    pub(super) async fn insert(&self, new: &NewResumable, token: Option<&str>) -> Result<bool, TusError> {
        match self.db().begin_resumable(new, token).await? {
            BegunResumable::New => Ok(true),
            BegunResumable::Exists => Ok(false),
            BegunResumable::OverQuota(excess) => Err(excess.into()),
            BegunResumable::TokenSpent => Err(TusError::TokenSpent),
            BegunResumable::SourcesGone => Err(TusError::Pieces),
        }
    }
}
