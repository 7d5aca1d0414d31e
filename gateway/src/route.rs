//! A request line, parsed once: which resource, which verb. Static routes win over `{file_id}`; ids are typed here.

mod template;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use http::Method;
use reelgate_common::ids::{FileId, JobId};
use reelgate_packager::language_tag;

use crate::{
    error::ApiError,
    hls::{PackagedPath, Part, generation},
    images::Image,
    page::Asset,
    upload::tus::Verb,
    webhooks,
};

/// What is asked for. Nothing behind this line looks at a method or a path again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// A file of the web page.
    Page(&'static Asset),
    OpenApi,
    List,
    Upload,
    MintToken,
    StreamFile(FileId),
    StreamLocation,
    Master(FileId),
    Manifest(FileId),
    /// Playlists and segments below a lease.
    Packaged(PackagedPath),
    OpenLocation,
    Open(FileId),
    Change(FileId),
    Delete(FileId),
    DeleteMany,
    Restore(FileId),
    Info(FileId),
    Cost(FileId),
    Image(FileId, Image),
    Thumbnail(FileId),
    AddCaptions(FileId),
    /// The name of the rendition.
    Captions(FileId, String),
    RemoveCaptions(FileId, String),
    Events,
    Usage,
    Leases,
    RevokeLeases,
    RetryFile(FileId),
    Jobs,
    Job(JobId),
    RetryJob(JobId),
    CancelJob(JobId),
    MintUploadToken,
    /// With the secret of its address, unless it is to be created.
    Resumable(Verb, Option<String>),
    Webhooks(webhooks::Ask),
    /// `OPTIONS`; the methods of the resource.
    Preflight(&'static str),
    /// The same where the tus protocol is spoken.
    DescribeUploads(&'static str),
}

impl Route {
    /// # Errors
    /// 404 for an unknown path, 405 with `Allow` for a wrong method, 422 for an id that is none.
    pub(crate) fn parse(method: &Method, path: &str) -> Result<Self, ApiError> {
        let resource = Resource::parse(path).ok_or_else(unknown_path)?;
        let refused = || ApiError::method_not_allowed(resource.methods());
        if method == Method::OPTIONS {
            let methods = resource.methods();
            let uploads = matches!(resource, Resource::Uploads | Resource::Resumable(_));
            return Ok(if uploads { Self::DescribeUploads(methods) } else { Self::Preflight(methods) });
        }
        let is_head = method == Method::HEAD;
        let method = if is_head { &Method::GET } else { method };
        Ok(match (resource, method) {
            (Resource::Page(asset), &Method::GET) => Self::Page(asset),
            (Resource::OpenApi, &Method::GET) => Self::OpenApi,
            (Resource::Files, &Method::GET) => Self::List,
            (Resource::Files, &Method::POST) => Self::Upload,
            (Resource::Token, &Method::POST) => Self::MintToken,
            (Resource::Location, &Method::POST) => Self::OpenLocation,
            (Resource::StreamRoot, &Method::GET) => Self::StreamLocation,
            (Resource::Stream(id), &Method::GET) => Self::StreamFile(file_id(id)?),
            (Resource::Master(id), &Method::GET) => Self::Master(file_id(id)?),
            (Resource::Manifest(id), &Method::GET) => Self::Manifest(file_id(id)?),
            (Resource::Packaged(below), &Method::GET) => Self::Packaged(below.typed()?),
            (Resource::File(id), &Method::GET) => Self::Open(file_id(id)?),
            (Resource::File(id), &Method::DELETE) => Self::Delete(file_id(id)?),
            (Resource::File(id), &Method::PATCH) => Self::Change(file_id(id)?),
            (Resource::DeleteFiles, &Method::POST) => Self::DeleteMany,
            (Resource::Restore(id), &Method::POST) => Self::Restore(file_id(id)?),
            (Resource::Info(id), &Method::GET) => Self::Info(file_id(id)?),
            (Resource::Cost(id), &Method::GET) => Self::Cost(file_id(id)?),
            (Resource::Image(id, image), &Method::GET) => Self::Image(file_id(id)?, image),
            (Resource::Thumbnail(id), &Method::GET) => Self::Thumbnail(file_id(id)?),
            (Resource::AddCaptions(id), &Method::POST) => Self::AddCaptions(file_id(id)?),
            (Resource::Captions(id, language), &Method::GET) => Self::Captions(file_id(id)?, captions(language)),
            (Resource::Captions(id, language), &Method::DELETE) => {
                Self::RemoveCaptions(file_id(id)?, captions(language))
            }
            (Resource::Events, &Method::GET) => Self::Events,
            (Resource::Usage, &Method::GET) => Self::Usage,
            (Resource::Leases, &Method::GET) => Self::Leases,
            (Resource::RevokeLeases, &Method::POST) => Self::RevokeLeases,
            (Resource::RetryFile(id), &Method::POST) => Self::RetryFile(file_id(id)?),
            (Resource::Jobs, &Method::GET) => Self::Jobs,
            (Resource::Job(id), &Method::GET) => Self::Job(job_id(id)?),
            (Resource::RetryJob(id), &Method::POST) => Self::RetryJob(job_id(id)?),
            (Resource::CancelJob(id), &Method::POST) => Self::CancelJob(job_id(id)?),
            (Resource::UploadToken, &Method::POST) => Self::MintUploadToken,
            (Resource::Uploads, &Method::POST) => Self::Resumable(Verb::Create, None),
            (Resource::Resumable(secret), method) => {
                Self::Resumable(verb(method, is_head).ok_or_else(refused)?, Some(secret.to_owned()))
            }
            (Resource::Webhooks(place), method) => {
                Self::Webhooks(webhooks::Ask::of(place, method)?.ok_or_else(refused)?)
            }
            _ => return Err(refused()),
        })
    }

    /// Name for logs and metrics: a closed set, never user text.
    #[must_use]
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Page(_) => "page",
            Self::OpenApi => "openapi",
            Self::List => "list",
            Self::Upload => "upload",
            Self::MintToken => "mint_token",
            Self::StreamFile(_) => "stream_file",
            Self::StreamLocation => "stream_location",
            Self::Master(_) => "master",
            Self::Manifest(_) => "manifest",
            Self::Packaged(_) => "packaged",
            Self::OpenLocation => "open_location",
            Self::Open(_) => "open",
            Self::Change(_) => "change",
            Self::Delete(_) => "delete",
            Self::DeleteMany => "delete_many",
            Self::Restore(_) => "restore",
            Self::Info(_) => "info",
            Self::Cost(_) => "cost",
            Self::Image(_, image) => image.name(),
            Self::Thumbnail(_) => "thumbnail",
            Self::AddCaptions(_) => "add_captions",
            Self::Captions(..) => "captions",
            Self::RemoveCaptions(..) => "remove_captions",
            Self::Events => "events",
            Self::Usage => "usage",
            Self::Leases => "leases",
            Self::RevokeLeases => "revoke_leases",
            Self::RetryFile(_) => "retry_file",
            Self::Jobs => "jobs",
            Self::Job(_) => "job",
            Self::RetryJob(_) => "retry_job",
            Self::CancelJob(_) => "cancel_job",
            Self::MintUploadToken => "mint_upload_token",
            Self::Resumable(Verb::Create, _) => "create_upload",
            Self::Resumable(Verb::Look, _) => "look_at_upload",
            Self::Resumable(Verb::Append, _) => "append_to_upload",
            Self::Resumable(Verb::Terminate, _) => "terminate_upload",
            Self::Webhooks(ask) => ask.name(),
            Self::Preflight(_) | Self::DescribeUploads(_) => "preflight",
        }
    }
}

const UPLOADS: &str = "/v1/uploads";
const MASTER: &str = "master.m3u8";
const MANIFEST: &str = "manifest.mpd";

fn verb(method: &Method, is_head: bool) -> Option<Verb> {
    match *method {
        _ if is_head => Some(Verb::Look),
        Method::PATCH => Some(Verb::Append),
        Method::DELETE => Some(Verb::Terminate),
        _ => None,
    }
}

/// The path without the lease or the upload's secret in it, and without a token that was put there by mistake (`&token=` for `?token=`): who reads
/// them there could play.
#[must_use]
pub(crate) fn loggable(path: &str) -> Cow<'_, str> {
    match misplaced_token(path) {
        Some(at) => format!("{}-", without_secrets(&path[..at])).into(),
        None => without_secrets(path),
    }
}

fn without_secrets(path: &str) -> Cow<'_, str> {
    match without_upload(path) {
        Some(shown) => shown.into(),
        None => without_lease(path),
    }
}

/// Whatever stands behind `/uploads/`, unless it is what a token is asked for at.
fn without_upload(path: &str) -> Option<String> {
    const BEFORE: &str = "/uploads/";
    let at = path.to_ascii_lowercase().replace("%2f", "/").find(BEFORE)?;
    if path.ends_with("/uploads/token") {
        return None;
    }
    // Where a slash was written otherwise more than the secret is left out.
    let shown = path.get(at..at + BEFORE.len()).filter(|found| found.eq_ignore_ascii_case(BEFORE));
    Some(format!("{}{}-", path.get(..at).unwrap_or_default(), shown.unwrap_or(BEFORE)))
}

fn misplaced_token(path: &str) -> Option<usize> {
    // Nearly no path has one of these, and the search below makes a copy.
    if !path.contains(['=', '%']) {
        return None;
    }
    let path = path.to_ascii_lowercase();
    ["token=", "token%3d"].iter().filter_map(|name| path.find(name).map(|at| at + name.len())).min()
}

fn without_lease(path: &str) -> Cow<'_, str> {
    const BEFORE: &str = "/stream/";
    let Some(at) = path.find(BEFORE).map(|at| at + BEFORE.len()) else { return path.into() };
    let Some((id, rest)) = path[at..].split_once('/') else { return path.into() };
    let (lease, below) = rest.split_once('/').unwrap_or((rest, ""));
    if below.is_empty() && [MASTER, MANIFEST].contains(&lease) {
        return path.into();
    }
    format!("{}{id}/-/{below}", &path[..at]).into()
}

/// An address below a lease.
#[derive(Debug, Clone, Copy)]
struct Below<'a> {
    file: &'a str,
    lease: &'a str,
    generation: &'a str,
    rendition: &'a str,
    part: Part,
}

impl Below<'_> {
    fn typed(self) -> Result<PackagedPath, ApiError> {
        Ok(PackagedPath {
            file: file_id(self.file)?,
            lease: self.lease.to_owned(),
            generation: generation(self.generation).ok_or_else(unknown_path)?,
            rendition: self.rendition.to_owned(),
            part: self.part,
        })
    }
}

/// A path, before the method is looked at.
#[derive(Debug, Clone, Copy)]
enum Resource<'a> {
    Page(&'static Asset),
    OpenApi,
    Files,
    Token,
    Location,
    StreamRoot,
    Stream(&'a str),
    Master(&'a str),
    Manifest(&'a str),
    Packaged(Below<'a>),
    File(&'a str),
    DeleteFiles,
    Restore(&'a str),
    Info(&'a str),
    Cost(&'a str),
    Image(&'a str, Image),
    Thumbnail(&'a str),
    AddCaptions(&'a str),
    /// With the language.
    Captions(&'a str, &'a str),
    Events,
    Usage,
    Leases,
    RevokeLeases,
    RetryFile(&'a str),
    Jobs,
    Job(&'a str),
    RetryJob(&'a str),
    CancelJob(&'a str),
    Uploads,
    UploadToken,
    /// With the secret.
    Resumable(&'a str),
    Webhooks(webhooks::Place<'a>),
}

impl<'a> Resource<'a> {
    fn parse(path: &'a str) -> Option<Self> {
        if path == "/openapi.json" {
            return Some(Self::OpenApi);
        }
        if !path.starts_with("/v1/") {
            return Asset::find(path).map(Self::Page);
        }
        if path == "/v1/usage" {
            return Some(Self::Usage);
        }
        if path == "/v1/events" {
            return Some(Self::Events);
        }
        if let Some(rest) = path.strip_prefix("/v1/leases") {
            return match rest {
                "" => Some(Self::Leases),
                "/revoke" => Some(Self::RevokeLeases),
                _ => None,
            };
        }
        if let Some(rest) = path.strip_prefix(UPLOADS) {
            return match rest.strip_prefix('/') {
                None => rest.is_empty().then_some(Self::Uploads),
                Some("token") => Some(Self::UploadToken),
                Some(secret) => (!secret.is_empty() && !secret.contains('/')).then_some(Self::Resumable(secret)),
            };
        }
        if let Some(rest) = path.strip_prefix("/v1/webhooks") {
            return webhooks::Place::parse(rest).map(Self::Webhooks);
        }
        if let Some(rest) = path.strip_prefix("/v1/jobs") {
            return Self::job(rest);
        }
        let rest = path.strip_prefix("/v1/files")?;
        if rest.is_empty() {
            return Some(Self::Files);
        }
        let segments: Vec<&str> = rest.strip_prefix('/')?.splitn(8, '/').collect();
        if segments.contains(&"") {
            return None;
        }
        match *segments {
            ["token"] => Some(Self::Token),
            ["location"] => Some(Self::Location),
            ["delete"] => Some(Self::DeleteFiles),
            ["stream"] => Some(Self::StreamRoot),
            ["stream", id] => Some(Self::Stream(id)),
            ["stream", id, MASTER] => Some(Self::Master(id)),
            ["stream", id, MANIFEST] => Some(Self::Manifest(id)),
            ["stream", file, lease, generation, rendition, ref part @ ..] => {
                let part = Part::parse(part)?;
                Some(Self::Packaged(Below { file, lease, generation, rendition, part }))
            }
            [id] => Some(Self::File(id)),
            [id, "info"] => Some(Self::Info(id)),
            [id, "cost"] => Some(Self::Cost(id)),
            [id, "retry"] => Some(Self::RetryFile(id)),
            [id, "restore"] => Some(Self::Restore(id)),
            [id, "thumbnail"] => Some(Self::Thumbnail(id)),
            [id, "captions"] => Some(Self::AddCaptions(id)),
            [id, "captions", name] => Some(Self::Captions(id, name.strip_suffix(".vtt")?)),
            [id, name] => Some(Self::Image(id, Image::parse(name)?)),
            _ => None,
        }
    }

    /// What follows `/v1/jobs`.
    fn job(rest: &'a str) -> Option<Self> {
        if rest.is_empty() {
            return Some(Self::Jobs);
        }
        let segments: Vec<&str> = rest.strip_prefix('/')?.splitn(3, '/').collect();
        match *segments {
            [id] if !id.is_empty() => Some(Self::Job(id)),
            [id, "retry"] => Some(Self::RetryJob(id)),
            [id, "cancel"] => Some(Self::CancelJob(id)),
            _ => None,
        }
    }

    /// As `Allow` lists them.
    fn methods(self) -> &'static str {
        match self {
            Self::Files => "GET, HEAD, POST, OPTIONS",
            Self::Uploads | Self::UploadToken => "POST, OPTIONS",
            Self::Resumable(_) => "HEAD, PATCH, DELETE, OPTIONS",
            Self::Webhooks(place) => place.methods(),
            Self::Token | Self::Location | Self::RevokeLeases | Self::AddCaptions(_) => "POST, OPTIONS",
            Self::DeleteFiles | Self::Restore(_) => "POST, OPTIONS",
            Self::File(_) => "GET, HEAD, PATCH, DELETE, OPTIONS",
            Self::Captions(..) => "GET, HEAD, DELETE, OPTIONS",
            Self::Page(_) | Self::OpenApi | Self::StreamRoot | Self::Stream(_) | Self::Info(_) => "GET, HEAD, OPTIONS",
            Self::Image(..) | Self::Thumbnail(_) | Self::Cost(_) => "GET, HEAD, OPTIONS",
            Self::Events | Self::Usage | Self::Leases | Self::Jobs | Self::Job(_) => "GET, HEAD, OPTIONS",
            Self::RetryFile(_) | Self::RetryJob(_) | Self::CancelJob(_) => "POST, OPTIONS",
            Self::Master(_) | Self::Manifest(_) | Self::Packaged(_) => "GET, HEAD, OPTIONS",
        }
    }
}

/// What captions of a language are called. Languages have one tag and one case there.
fn captions(language: &str) -> String {
    let tag = language_tag(language).unwrap_or_else(|| language.to_owned());
    format!("captions-{}", tag.to_ascii_lowercase())
}

/// What kind of path it is, in words: `openapi` holds the document against these.
#[cfg(test)]
pub(crate) fn resource(path: &str) -> Option<String> {
    Resource::parse(path).map(|resource| format!("{resource:?}"))
}

fn unknown_path() -> ApiError {
    ApiError::new(http::StatusCode::NOT_FOUND, "not_found", "Not Found")
}

fn file_id(text: &str) -> Result<FileId, ApiError> {
    text.parse().map_err(|_| ApiError::no_id("file_id"))
}

fn job_id(text: &str) -> Result<JobId, ApiError> {
    text.parse().map_err(|_| ApiError::no_id("job_id"))
}
