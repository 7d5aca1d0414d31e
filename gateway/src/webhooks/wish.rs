//! What the bodies of requests say about an endpoint. Unknown fields are ignored, as everywhere; `null` is as good as absent.

use std::time::Duration;

use reelgate_common::{
    event::EventKind,
    webhook::{EventFilter, WebhookChange},
};
use serde_json::{Map, Value};

use super::guard::Guard;
use crate::{
    error::{ApiError, Violation},
    json_body,
};

const LONGEST_DESCRIPTION: usize = 200;
/// A week.
const LONGEST_GRACE: u64 = 604_800;

/// A body, and what is wrong with it so far.
struct Reader<'a> {
    body: &'a Map<String, Value>,
    wrong: Vec<Violation>,
}

impl<'a> Reader<'a> {
    fn new(body: &'a Map<String, Value>) -> Self {
        Self { body, wrong: Vec::new() }
    }

    fn object(&mut self, name: &'static str, message: impl Into<std::borrow::Cow<'static, str>>, kind: &'static str) {
        self.wrong.push(Violation::new(["body".into(), name.into()], message, kind));
    }

    /// One field, read by `parse`.
    fn read<T>(
        &mut self,
        name: &'static str,
        kind: &'static str,
        parse: impl FnOnce(&Value) -> Result<T, String>,
    ) -> Option<T> {
        let value = json_body::present(self.body, name)?;
        parse(value).map_err(|message| self.object(name, message, kind)).ok()
    }

    fn end<T>(self, wish: T) -> Result<T, ApiError> {
        if self.wrong.is_empty() { Ok(wish) } else { Err(ApiError::invalid(self.wrong)) }
    }
}

/// `POST /v1/webhooks`.
pub(super) struct Creation {
    pub(super) url: String,
    pub(super) description: String,
    pub(super) events: EventFilter,
}

/// # Errors
/// 422 with all that is wrong.
pub(super) fn creation(body: &Map<String, Value>, guard: &Guard) -> Result<Creation, ApiError> {
    let change = fields(body, guard, true)?;
    Ok(Creation {
        url: change.url.unwrap_or_default(),
        description: change.description.unwrap_or_default(),
        events: change.events.unwrap_or(EventFilter::All),
    })
}

/// # Errors
/// 422 with all that is wrong.
pub(super) fn change(body: &Map<String, Value>, guard: &Guard) -> Result<WebhookChange, ApiError> {
    fields(body, guard, false)
}

fn fields(body: &Map<String, Value>, guard: &Guard, is_new: bool) -> Result<WebhookChange, ApiError> {
    let mut reader = Reader::new(body);
    if is_new && json_body::present(body, "url").is_none() {
        reader.wrong.push(Violation::missing("body", "url"));
    }
    let url = reader
        .read("url", "url_parsing", |value| guard.target(text(value)?).map(|target| target.url).map_err(str::to_owned));
    let description = reader.read("description", "string_too_long", description);
    let events = reader.read("events", "enum", filter);
    let enabled = if is_new { None } else { reader.read("enabled", "bool_type", boolean) };
    reader.end(WebhookChange { url, description, events, enabled })
}

/// How long the secret before goes on signing, if the body of `POST …/rotate` says so.
///
/// # Errors
/// 422.
pub(super) fn grace(body: &Map<String, Value>) -> Result<Option<Duration>, ApiError> {
    let mut reader = Reader::new(body);
    let seconds = reader.read("grace_seconds", "int_range", |value| {
        let seconds = value.as_u64().filter(|seconds| *seconds <= LONGEST_GRACE);
        seconds.ok_or_else(|| format!("Input should be a whole number from 0 to {LONGEST_GRACE}"))
    });
    reader.end(seconds.map(Duration::from_secs))
}

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| "Input should be a valid string".to_owned())
}

fn boolean(value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| "Input should be a valid boolean".to_owned())
}

/// Postgres takes no NUL.
fn description(value: &Value) -> Result<String, String> {
    let text = text(value)?;
    if text.chars().count() > LONGEST_DESCRIPTION || text.contains('\0') {
        return Err(format!("Input should have at most {LONGEST_DESCRIPTION} characters and no NUL"));
    }
    Ok(text.to_owned())
}

fn filter(value: &Value) -> Result<EventFilter, String> {
    let is_kind = |word: &str| word == "*" || word.parse::<EventKind>().is_ok();
    let words = value.as_array().filter(|words| !words.is_empty() && words.len() <= 100);
    let words = words.and_then(|words| words.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
    match words {
        Some(words) if words.iter().all(|word| is_kind(word)) => {
            Ok(EventFilter::of_words(words.into_iter().map(str::to_owned)))
        }
        _ => {
            let kinds: Vec<&str> = EventKind::ALL.iter().map(|kind| kind.as_str()).collect();
            Err(format!("Input should be a list of '*' or of {}", kinds.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{error::Detail, webhooks::config::WebhooksConfig};

    fn guard() -> Guard {
        WebhooksConfig::default().guard().unwrap()
    }

    fn wrong(error: ApiError) -> Vec<String> {
        let Detail::Invalid(wrong) = error.detail else { panic!("a list") };
        wrong.iter().map(|it| serde_json::to_value(&it.loc[1]).unwrap().as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn an_address_is_enough() {
        let body = json!({"url": "https://hooks.example/a", "events": null, "enabled": 7});
        let made = creation(body.as_object().unwrap(), &guard()).unwrap();
        assert_eq!((&*made.url, &*made.description), ("https://hooks.example/a", ""));
        assert_eq!(made.events, EventFilter::All);
    }

    #[test]
    fn every_wrong_field_is_named() {
        let body = json!({"url": "https://localhost/", "description": "x".repeat(201), "events": ["file.eaten"], "enabled": 1});
        let refused = change(body.as_object().unwrap(), &guard()).unwrap_err();
        assert_eq!(wrong(refused), ["url", "description", "events", "enabled"]);
        let nothing = creation(&Map::new(), &guard()).map(drop).unwrap_err();
        assert_eq!(wrong(nothing), ["url"]);
        for events in [json!([]), json!("*"), json!([7]), json!(["*", "x"])] {
            let body = json!({"events": events});
            assert!(change(body.as_object().unwrap(), &guard()).is_err(), "{body}");
        }
    }

    #[test]
    fn what_is_not_said_stays() {
        assert_eq!(change(&Map::new(), &guard()).unwrap(), WebhookChange::default());
        let body = json!({"events": ["file.ready"], "enabled": false});
        let wish = change(body.as_object().unwrap(), &guard()).unwrap();
        assert_eq!(wish.events, Some(EventFilter::of_words(["file.ready".to_owned()])));
        assert_eq!(wish.enabled, Some(false));
    }

    #[test]
    fn a_grace_is_up_to_a_week() {
        let of = |value: Value| grace(json!({"grace_seconds": value}).as_object().unwrap());
        assert_eq!(of(Value::Null).unwrap(), None);
        assert_eq!(of(json!(0)).unwrap(), Some(Duration::ZERO));
        for wrong in [json!(-1), json!(604_801), json!("1")] {
            assert!(of(wrong).is_err());
        }
    }
}
