//! Captions as they are sent: the document as the whole body with its language in the query, or a form with fields and one
//! file. Small, so it is read whole.

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use reelgate_packager::language_tag;

use crate::{
    body::RequestBody,
    error::{ApiError, Violation},
    json_body,
    query::Query,
    upload::multipart::{Event, MultipartError, Parser, PartHead, boundary_of},
};

/// A film of four hours has some 200 KiB.
const MAX_DOCUMENT: usize = 1 << 20;
/// What a form has around it.
const MAX_BODY: usize = MAX_DOCUMENT + (64 << 10);
const MAX_HEADER: usize = 8 << 10;
const MAX_LABEL: usize = 128;

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) document: Bytes,
    /// A tag as BCP 47 has them, at least in shape.
    pub(super) language: String,
    pub(super) label: Option<String>,
    pub(super) default: bool,
}

/// What was given, before it is looked at.
#[derive(Debug, Default)]
struct Given {
    /// `query` or `body`.
    place: &'static str,
    document: Option<Bytes>,
    language: Option<String>,
    label: Option<String>,
    default: Option<String>,
}

impl Form {
    /// # Errors
    /// 413, 422, 400 or 408, by what is wrong.
    pub(super) async fn receive(headers: &HeaderMap, query: &Query<'_>, body: RequestBody) -> Result<Self, ApiError> {
        let body = json_body::whole(body, MAX_BODY, too_large).await?;
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let given = match boundary_of(content_type) {
            Some(boundary) => parts(&boundary, body)?,
            None => Given::of_query(query, body),
        };
        given.check()
    }
}

impl Given {
    fn of_query(query: &Query<'_>, body: Bytes) -> Self {
        let get = |name| query.get(name).map(str::to_owned);
        let (language, label, default) = (get("language"), get("label"), get("default"));
        Self { place: "query", document: Some(body), language, label, default }
    }

    fn check(self) -> Result<Form, ApiError> {
        let place = self.place;
        let wrong = |name: &'static str, message: &'static str, kind| {
            Violation::new([place.into(), name.into()], message, kind)
        };
        let mut violations = Vec::new();
        let given = self.language.unwrap_or_default();
        let language = language_tag(&given);
        if given.is_empty() {
            violations.push(Violation::missing(place, "language"));
        } else if language.is_none() {
            violations.push(wrong("language", "Input should be a language tag, as in en or pt-BR", "language"));
        }
        let label = self.label.map(|label| clean(&label)).filter(|label| !label.is_empty());
        if label.as_ref().is_some_and(|label| label.len() > MAX_LABEL) {
            violations.push(wrong("label", "String should have at most 128 characters", "string_too_long"));
        }
        let default = match self.default.as_deref().map(str::trim) {
            None | Some("" | "false" | "0") => false,
            Some("true" | "1" | "on") => true,
            Some(_) => {
                violations.push(wrong("default", "Input should be a valid boolean", "bool_parsing"));
                false
            }
        };
        let document = self.document.unwrap_or_default();
        if document.is_empty() {
            violations.push(Violation::new(["body".into()], "Field required", "missing"));
        }
        if document.len() > MAX_DOCUMENT {
            return Err(too_large());
        }
        match language.filter(|_| violations.is_empty()) {
            Some(language) => Ok(Form { document, language, label, default }),
            None => Err(ApiError::invalid(violations)),
        }
    }
}

fn parts(boundary: &str, body: Bytes) -> Result<Given, ApiError> {
    let mut parser = Parser::new(boundary, MAX_HEADER).map_err(|error| malformed(&error))?;
    parser.send(body);
    let mut given = Given { place: "body", ..Given::default() };
    let mut part: Option<(PartHead, Vec<u8>)> = None;
    while let Some(event) = parser.receive().map_err(|error| malformed(&error))? {
        match event {
            Event::Part(head) => part = Some((head, Vec::new())),
            Event::Data(data) => part.iter_mut().for_each(|(_, bytes)| bytes.extend_from_slice(&data)),
            Event::PartEnd => part.take().into_iter().for_each(|(head, bytes)| given.take(&head, bytes)),
            Event::End => break,
        }
    }
    parser.finish().map_err(|error| malformed(&error))?;
    Ok(given)
}

impl Given {
    fn take(&mut self, head: &PartHead, bytes: Vec<u8>) {
        if head.is_file() {
            self.document.get_or_insert(bytes.into());
            return;
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        match head.name.as_str() {
            "language" => self.language = Some(text),
            "label" => self.label = Some(text),
            "default" => self.default = Some(text),
            _ => {}
        }
    }
}

fn clean(label: &str) -> String {
    label.chars().filter(|letter| !letter.is_control()).collect::<String>().trim().to_owned()
}

fn malformed(error: &MultipartError) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "malformed_form", error.to_string())
}

fn too_large() -> ApiError {
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "captions_too_large", "The captions exceed 1 MiB")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    async fn receive(content_type: &'static str, query: &str, body: &str) -> Result<Form, ApiError> {
        let headers = [(CONTENT_TYPE, HeaderValue::from_static(content_type))].into_iter().collect();
        let body = RequestBody::of(vec![Bytes::copy_from_slice(body.as_bytes())]);
        Form::receive(&headers, &Query::parse(Some(query)), body).await
    }

    #[tokio::test]
    async fn a_document_is_the_body_or_the_file_of_a_form() {
        let wanted = Form {
            document: "WEBVTT".into(),
            language: "pt-BR".to_owned(),
            label: Some("Português".to_owned()),
            default: true,
        };
        let query = "language=pt-BR&label=Portugu%C3%AAs&default=true";
        assert_eq!(receive("text/vtt", query, "WEBVTT").await.unwrap(), wanted);
        let field = |name: &str, value: &str| {
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let file =
            "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.vtt\"\r\n\r\nWEBVTT\r\n--b--\r\n";
        let fields = [field("language", "pt-BR"), field("label", "Português"), field("default", "true")].concat();
        let form = receive("multipart/form-data; boundary=b", "", &format!("{fields}{file}")).await;
        assert_eq!(form.unwrap(), wanted);
    }

    #[tokio::test]
    async fn a_language_has_its_shortest_tag() {
        for (given, tag) in [("ger", "de"), ("deu", "de"), ("gsw-CH", "gsw-CH")] {
            let form = receive("text/vtt", &format!("language={given}"), "WEBVTT").await.unwrap();
            assert_eq!(form.language, tag);
        }
    }

    #[tokio::test]
    async fn what_is_wrong_is_told() {
        for query in ["", "language=e", "language=../x", "language=en&default=perhaps", "language=en-"] {
            assert_eq!(
                receive("", query, "WEBVTT").await.unwrap_err().status,
                StatusCode::UNPROCESSABLE_ENTITY,
                "{query}"
            );
        }
        let large = " ".repeat(MAX_BODY + 1);
        assert_eq!(receive("", "language=en", &large).await.unwrap_err().code, "captions_too_large");
        assert_eq!(receive("", "language=en", "").await.unwrap_err().status, StatusCode::UNPROCESSABLE_ENTITY);
    }
}
