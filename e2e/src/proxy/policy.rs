//! A policy of the object store, as `deploy/s3-*.json` ship it, held against requests: what S3 would call each of them, and whether that
//! is allowed. Only as much of the language as those files use: `Allow`, single actions, resources that may end in a star.

use anyhow::{Context, Result, ensure};
use http::{Method, Request};
use serde_json::Value;

#[derive(Debug, Clone)]
pub struct Policy {
    /// Action and resource; a star at the end of a resource stands for anything.
    grants: Vec<(String, String)>,
}

/// An action on a resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    pub action: &'static str,
    pub resource: String,
}

impl Policy {
    /// With the bucket and the prefix of a site in place of `BUCKET` and `PREFIX`.
    ///
    /// # Errors
    /// It says something that is not understood here.
    pub fn read(text: &str, bucket: &str, prefix: &str) -> Result<Self> {
        let policy: Value = serde_json::from_str(&text.replace("BUCKET", bucket).replace("PREFIX", prefix))?;
        let mut grants = Vec::new();
        for statement in policy["Statement"].as_array().context("statements")? {
            ensure!(statement["Effect"] == "Allow" && statement["Condition"].is_null(), "{statement}");
            for action in texts(&statement["Action"])? {
                ensure!(!action.contains('*'), "{action} is no single action");
                grants.extend(texts(&statement["Resource"])?.into_iter().map(|resource| (action.clone(), resource)));
            }
        }
        Ok(Self { grants })
    }

    #[must_use]
    pub fn allows(&self, asked: &Asked) -> bool {
        let covers = |resource: &str| match resource.strip_suffix('*') {
            Some(begin) => asked.resource.starts_with(begin),
            None => asked.resource == resource,
        };
        self.grants.iter().any(|(action, resource)| action == asked.action && covers(resource))
    }

    /// What it grants, for showing that it is no more than is needed.
    #[must_use]
    pub fn actions(&self) -> Vec<&str> {
        self.grants.iter().map(|(action, _)| action.as_str()).collect()
    }
}

fn texts(value: &Value) -> Result<Vec<String>> {
    match value {
        Value::String(one) => Ok(vec![one.clone()]),
        Value::Array(several) => several.iter().map(|one| Ok(one.as_str().context("a text")?.to_owned())).collect(),
        other => anyhow::bail!("{other} is no text"),
    }
}

/// What a request by path (`/bucket/key`) asks for. A copy asks for two things.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>
pub fn asked<B>(request: &Request<B>) -> Vec<Asked> {
    let path = request.uri().path().trim_start_matches('/').trim_end_matches('/');
    let action = match path.split_once('/') {
        None => of_bucket(request),
        Some(_) => of_object(request),
    };
    let source = request.headers().get("x-amz-copy-source").and_then(|source| source.to_str().ok());
    let copied = source.map(|source| on("s3:GetObject", source.trim_start_matches('/')));
    [on(action, path)].into_iter().chain(copied).collect()
}

fn on(action: &'static str, path: &str) -> Asked {
    Asked { action, resource: format!("arn:aws:s3:::{}", path.replace("%3D", "=").replace("%2F", "/")) }
}

fn has<B>(request: &Request<B>, name: &str) -> bool {
    let query = request.uri().query().unwrap_or_default();
    query.split('&').any(|pair| pair.split('=').next() == Some(name))
}

fn of_bucket<B>(request: &Request<B>) -> &'static str {
    match *request.method() {
        Method::GET if has(request, "uploads") => "s3:ListBucketMultipartUploads",
        Method::GET if has(request, "versions") => "s3:ListBucketVersions",
        Method::GET if has(request, "versioning") => "s3:GetBucketVersioning",
        Method::GET | Method::HEAD => "s3:ListBucket",
        _ => "something else with the bucket",
    }
}

fn of_object<B>(request: &Request<B>) -> &'static str {
    match *request.method() {
        Method::GET if has(request, "uploadId") => "s3:ListMultipartUploadParts",
        Method::GET | Method::HEAD if has(request, "versionId") => "s3:GetObjectVersion",
        Method::GET | Method::HEAD => "s3:GetObject",
        Method::PUT | Method::POST => "s3:PutObject",
        Method::DELETE if has(request, "uploadId") => "s3:AbortMultipartUpload",
        Method::DELETE if has(request, "versionId") => "s3:DeleteObjectVersion",
        Method::DELETE => "s3:DeleteObject",
        _ => "something else with an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"Statement": [
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::BUCKET"},
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::BUCKET/PREFIX/*"}]}"#;

    fn allowed(method: Method, uri: &str) -> bool {
        let policy = Policy::read(TEXT, "b", "p").unwrap();
        asked(&Request::builder().method(method).uri(uri).body(()).unwrap()).iter().all(|asked| policy.allows(asked))
    }

    #[test]
    fn only_what_is_granted_is_allowed_and_only_where() {
        assert!(
            allowed(Method::GET, "/b?list-type=2") && allowed(Method::HEAD, "/b/p/k") && allowed(Method::PUT, "/b/p/k")
        );
        assert!(!allowed(Method::GET, "/b?versions") && !allowed(Method::DELETE, "/b/p/k"));
        assert!(!allowed(Method::GET, "/b/other/k") && !allowed(Method::GET, "/c/p/k"));
    }

    #[test]
    fn a_copy_reads_what_it_copies() {
        let copy = Request::put("/b/p/to").header("x-amz-copy-source", "b/elsewhere/from").body(()).unwrap();
        let asked = asked(&copy);
        assert_eq!(asked.len(), 2);
        assert!(!Policy::read(TEXT, "b", "p").unwrap().allows(&asked[1]));
    }
}
