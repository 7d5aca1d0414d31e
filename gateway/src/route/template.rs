//! The path of a route as it is documented, with names for what varies: what a span may be called by.

use super::Route;
use crate::{images::Image, upload::tus::Verb};

impl Route {
    pub(crate) fn template(&self) -> &'static str {
        match self {
            Self::Page(_) => "/",
            Self::OpenApi => "/openapi.json",
            Self::List | Self::Upload => "/v1/files",
            Self::MintToken => "/v1/files/token",
            Self::StreamFile(_) => "/v1/files/stream/{file_id}",
            Self::StreamLocation => "/v1/files/stream",
            Self::Master(_) => "/v1/files/stream/{file_id}/master.m3u8",
            Self::Manifest(_) => "/v1/files/stream/{file_id}/manifest.mpd",
            Self::Packaged(_) => "/v1/files/stream/{file_id}/{lease}/{path}",
            Self::OpenLocation => "/v1/files/location",
            Self::Open(_) | Self::Change(_) | Self::Delete(_) => "/v1/files/{file_id}",
            Self::DeleteMany => "/v1/files/delete",
            Self::Restore(_) => "/v1/files/{file_id}/restore",
            Self::Info(_) => "/v1/files/{file_id}/info",
            Self::Cost(_) => "/v1/files/{file_id}/cost",
            Self::Image(_, Image::Poster) => "/v1/files/{file_id}/poster",
            Self::Image(..) => "/v1/files/{file_id}/{image}",
            Self::Thumbnail(_) => "/v1/files/{file_id}/thumbnail",
            Self::AddCaptions(_) => "/v1/files/{file_id}/captions",
            Self::Captions(..) | Self::RemoveCaptions(..) => "/v1/files/{file_id}/captions/{language}",
            Self::Events => "/v1/events",
            Self::Usage => "/v1/usage",
            Self::Leases => "/v1/leases",
            Self::RevokeLeases => "/v1/leases/revoke",
            Self::RetryFile(_) => "/v1/files/{file_id}/retry",
            Self::Jobs => "/v1/jobs",
            Self::Job(_) => "/v1/jobs/{job_id}",
            Self::RetryJob(_) => "/v1/jobs/{job_id}/retry",
            Self::CancelJob(_) => "/v1/jobs/{job_id}/cancel",
            Self::MintUploadToken => "/v1/uploads/token",
            Self::Resumable(Verb::Create, _) => "/v1/uploads",
            Self::Resumable(..) => "/v1/uploads/{upload}",
            Self::Webhooks(ask) => ask.template(),
            Self::Preflight(_) | Self::DescribeUploads(_) => "*",
        }
    }
}
