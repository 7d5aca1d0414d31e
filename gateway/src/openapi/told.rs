//! Events in the document: what is told of each kind, all of them as one schema, and the requests that webhooks send. Each kind's data is a type of
//! `common::event::data`.

use reelgate_common::{
    event::{
        EventKind, LiveKind,
        data::{
            EventData, FileCompleted, FileDeleted, FileFailed, FileProcessing, FileReady, FileRestored, FileStaged,
            FileTrashed, FileUpdated, JobProgress, JobQueued, LiveData, RenditionReady, UploadProgress,
        },
    },
    ids::FileId,
    timestamp::Timestamp,
    webhook::TEST_KIND,
};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::{
    endpoint::{Schemas, Tag, inline},
    events::frame::Reset,
    webhooks::Trial,
};

/// Any of them.
pub(super) const EVENT: &str = "Event";

/// The document's `webhooks`, and the schemas of all events.
pub(super) fn webhooks(schemas: &mut Schemas) -> Value {
    let mut events = Events { schemas, told: Vec::new(), sent: Map::new() };
    events.durable::<FileStaged<'_>>();
    events.durable::<FileProcessing<'_>>();
    events.durable::<RenditionReady<'_>>();
    events.durable::<FileReady<'_>>();
    events.durable::<FileCompleted<'_>>();
    events.durable::<FileFailed<'_>>();
    events.durable::<FileUpdated<'_>>();
    events.durable::<FileTrashed<'_>>();
    events.durable::<FileRestored<'_>>();
    events.durable::<FileDeleted<'_>>();
    events.live::<UploadProgress>();
    events.live::<JobQueued>();
    events.live::<JobProgress<'_>>();
    events.schemas.add::<Reset>();
    let trial = events.schemas.add::<Trial>();
    events.send(TEST_KIND, &trial);
    events.any();
    events.sent.into()
}

struct Events<'a> {
    schemas: &'a mut Schemas,
    /// Kinds with their envelopes.
    told: Vec<(&'static str, Value)>,
    sent: Map<String, Value>,
}

impl Events<'_> {
    /// In the log, so it has a number and goes to webhooks.
    fn durable<T: EventData>(&mut self) {
        let kind: EventKind = T::KIND;
        let number = json!({
            "type": "string", "pattern": "^[0-9]+$",
            "description": "Its place in the organisation's log, from 1 on and without gaps.",
        });
        let event = self.envelope::<T>(kind.as_str(), Some(number));
        self.send(kind.as_str(), &event);
    }

    fn live<T: LiveData>(&mut self) {
        let kind: LiveKind = T::KIND;
        self.envelope::<T>(kind.as_str(), None);
    }

    fn envelope<T: ToSchema>(&mut self, kind: &'static str, number: Option<Value>) -> Value {
        let data = self.schemas.add::<T>();
        let mut properties = json!({
            "type": { "type": "string", "enum": [kind] },
            "file_id": inline::<FileId>(),
            "created_at": inline::<Timestamp>(),
            "data": data,
        });
        let mut required = vec!["type", "file_id", "created_at", "data"];
        if let Some(number) = number {
            properties["id"] = number;
            required.push("id");
        }
        let envelope = json!({ "type": "object", "required": required, "properties": properties });
        let event = self.schemas.put(&schema_name(kind), envelope);
        self.told.push((kind, event.clone()));
        event
    }

    /// A request to an endpoint that has asked for this kind.
    fn send(&mut self, kind: &'static str, body: &Value) {
        let header = |name: &str, sentence: &str, schema: Value| json!({ "name": name, "in": "header", "required": true, "description": sentence, "schema": schema });
        let text = || json!({ "type": "string" });
        let mut headers = vec![
            header("Reelgate-Event-Type", "The kind of the event.", json!({ "type": "string", "enum": [kind] })),
            header(
                "Reelgate-Delivery-Id",
                "Stays the same when the delivery is repeated.",
                json!({ "type": "string", "format": "uuid" }),
            ),
            header("Reelgate-Attempt", "Above 1 it may be a repetition.", json!({ "type": "integer", "minimum": 1 })),
            header(
                "Reelgate-Signature",
                "`t=TIME,v1=HMAC`: the HMAC-SHA256, in hex, of the time, a full stop and the body, with the endpoint's secret.",
                text(),
            ),
        ];
        if kind != TEST_KIND {
            headers.push(header("Reelgate-Event-Id", "Counts the organisation's events.", text()));
        }
        let operation = json!({
            "operationId": format!("told{}", schema_name(kind)),
            "tags": [Tag::Webhooks.name()],
            "summary": format!("`{kind}` to an endpoint of the organisation"),
            "description": "At least once, in order for each file; `docs/webhooks.md` says how it is repeated and verified.",
            "security": [],
            "parameters": headers,
            "requestBody": { "required": true, "content": { "application/json": { "schema": body } } },
            "responses": {
                "2XX": { "description": "It is delivered. The body is not read." },
                "default": { "description": "It is not, and is sent again." },
            },
        });
        self.sent.insert(kind.to_owned(), json!({ "post": operation }));
    }

    /// All of them as one, told apart by their type.
    fn any(&mut self) {
        let all: Vec<Value> = self.told.iter().map(|(_, event)| event.clone()).collect();
        let mapping: Map<String, Value> =
            self.told.iter().map(|(kind, event)| ((*kind).to_owned(), event["$ref"].clone())).collect();
        let event = json!({
            "description": "What `GET /v1/events` tells and, where it has an `id`, webhooks send.",
            "oneOf": all,
            "discriminator": { "propertyName": "type", "mapping": mapping },
        });
        self.schemas.put(EVENT, event);
    }
}

/// `file.ready` is a `FileReadyEvent`.
fn schema_name(kind: &str) -> String {
    let capital = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
    kind.split('.').map(capital).collect::<String>() + "Event"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi::document;

    #[test]
    fn every_kind_of_event_is_described_and_what_is_kept_is_sent() {
        let schemas = &document()["components"]["schemas"];
        let mapping = schemas[EVENT]["discriminator"]["mapping"].as_object().unwrap();
        let durable = EventKind::ALL.iter().map(|kind| kind.as_str());
        let live = LiveKind::ALL.iter().map(|kind| kind.as_str());
        assert_eq!(mapping.len(), durable.clone().chain(live.clone()).count());
        for kind in durable.clone().chain(live) {
            let envelope = &schemas[schema_name(kind)];
            assert_eq!(envelope["properties"]["type"]["enum"], json!([kind]));
            assert_eq!(mapping[kind], format!("#/components/schemas/{}", schema_name(kind)));
            let data = envelope["properties"]["data"]["$ref"].as_str().unwrap();
            assert!(document().pointer(&data[1..]).unwrap()["properties"].is_object(), "{kind}");
        }
        let sent: Vec<&String> = document()["webhooks"].as_object().unwrap().keys().collect();
        assert!(durable.clone().chain([TEST_KIND]).all(|kind| sent.iter().any(|name| *name == kind)), "{sent:?}");
        assert_eq!(sent.len(), EventKind::ALL.len() + 1);
    }

    /// docs/events.md says the same for people.
    #[test]
    fn the_page_of_events_lists_every_kind_with_its_members() {
        let page = include_str!("../../../docs/events.md");
        let schemas = &document()["components"]["schemas"];
        let kinds =
            EventKind::ALL.iter().map(|kind| kind.as_str()).chain(LiveKind::ALL.iter().map(|kind| kind.as_str()));
        for kind in kinds {
            let row = page.lines().find(|line| line.starts_with(&format!("| `{kind}` |")));
            let row = row.unwrap_or_else(|| panic!("docs/events.md lacks {kind}"));
            let data = schemas[schema_name(kind)]["properties"]["data"]["$ref"].as_str().unwrap();
            let members = document().pointer(&data[1..]).unwrap()["properties"].as_object().unwrap();
            for member in members.keys().filter(|member| *member != "state") {
                let said = [format!("`{member}`"), format!("\"{member}\"")];
                assert!(said.iter().any(|word| row.contains(word)), "docs/events.md lacks {member} of {kind}");
            }
        }
    }
}
