//! Isolation between organisations does not depend on a handler remembering it: each query takes the organisation, or a fence of one
//! job. Those that take neither are named here, with what makes them harmless.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// Queries of the whole deployment. None of them is called with anything that a client has sent, but where it says so.
const OF_ALL: [(&str, &str); 81] = [
    ("attend", "which workers live"),
    ("leave", "which workers live"),
    ("worker_slots", "which workers live"),
    ("rows_after", "a deployment that moves, whole"),
    ("write_rows", "a deployment that moves, whole"),
    ("count_rows", "a deployment that moves, whole"),
    ("is_blank", "a deployment that moves, whole"),
    ("served_until", "a deployment that moves, whole"),
    ("wipe", "a deployment that moves, whole"),
    ("examine", "what this program may do with each table; nothing is kept"),
    ("migrations", "the schema's own"),
    ("connect", "no query"),
    ("ping", "no query"),
    ("close", "no query"),
    ("clock", "what time it is"),
    ("deployment_id", "the deployment's own"),
    ("hold_office", "election"),
    ("leave_office", "election"),
    ("waiting_jobs", "a count"),
    ("census", "counts"),
    ("backlog", "counts"),
    ("create_file", "the new row names its organisation"),
    ("set_multipart", "of an upload that this gateway has begun"),
    ("touch_uploads", "of uploads that this gateway has begun"),
    ("silent_uploads", "maintenance"),
    ("create_file_within", "the new row names its organisation"),
    ("begin_resumable", "the new row names its organisation"),
    ("find_resumable", "by 128 bits of chance out of an address, which are the right to it"),
    ("claim_resumable", "by 128 bits of chance out of an address, which are the right to it"),
    ("find_partials", "by 128 bits of chance out of addresses; their organisation is compared"),
    ("advance_resumable", "of an upload that was claimed, under its number"),
    ("set_resumable_multipart", "of an upload that was claimed, under its number"),
    ("declare_length", "of an upload that was claimed, under its number"),
    ("finish_partial", "of an upload that was claimed"),
    ("wanted_resumables", "of uploads that this gateway has claimed"),
    ("expired_resumables", "maintenance"),
    ("add_upload_token", "the token names its organisation"),
    ("find_upload_token", "by 128 bits of chance, which are the token"),
    ("purge_upload_tokens", "maintenance"),
    ("known_files", "maintenance: which of these objects have a row"),
    ("living_files", "of files that are being streamed already"),
    ("files_after", "the reconciler"),
    ("stuck_files", "the reconciler"),
    ("tombstones", "maintenance"),
    ("ended_files", "maintenance"),
    ("fold_names", "maintenance"),
    ("purge_file", "maintenance: of a tombstone"),
    ("unpromoted", "maintenance"),
    ("set_source_key", "a step of promotion, guarded by the old key"),
    ("due_jobs", "dispatch"),
    ("silent_jobs", "maintenance"),
    ("begin_attempt", "a worker, of a job from the queue"),
    ("lose_attempt", "maintenance: of a lost worker"),
    ("void_leases", "the start of the embedded footing"),
    ("attempts_of", "of a job that was found within its organisation"),
    ("open_lease", "the lease names its organisation"),
    ("find_lease", "by 128 bits of chance out of an address; compared with its client before it counts"),
    ("move_lease", "of a lease that was found"),
    ("pin_lease", "of a lease that was found"),
    ("touch_leases", "of leases that this gateway holds"),
    ("count_views", "each names its organisation"),
    ("watched_files", "maintenance: each with its organisation"),
    ("prune_views", "maintenance"),
    ("touch_renditions", "of renditions that this gateway shows"),
    ("cold_renditions", "maintenance: each with its organisation"),
    ("dropped_objects", "maintenance: each with its organisation"),
    ("forget_dropped", "maintenance: of an object that is gone"),
    ("purge_leases", "maintenance"),
    ("purge_epochs", "maintenance"),
    ("prune_events", "maintenance"),
    ("event_heads", "of the organisations whose people listen here"),
    ("put_listener", "the lease names its organisation"),
    ("touch_listeners", "of leases that this gateway holds"),
    ("purge_listeners", "maintenance"),
    ("lease_news", "what was revoked, for all gateways"),
    ("create_webhook", "the webhook names its organisation"),
    ("webhooks_behind", "maintenance: each with its organisation"),
    ("due_webhooks", "maintenance: each with its organisation"),
    ("webhooks_sealed_otherwise", "maintenance: secrets are sealed anew"),
    ("prune_deliveries", "maintenance"),
    ("delivery_census", "figures of the whole deployment"),
];

/// The public queries with their parameters.
fn queries() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../common/src/db");
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let text = fs::read_to_string(path).unwrap();
        for declared in text.split("    pub async fn ").skip(1) {
            let (name, rest) = declared.split_once('(').unwrap();
            let parameters = rest.split_once(") ").unwrap().0;
            found.insert(name.to_owned(), parameters.to_owned());
        }
    }
    found
}

#[test]
fn every_query_takes_an_organisation_or_says_why_not() {
    let queries = queries();
    assert!(queries.len() > 60, "{queries:#?}");
    let confined = |parameters: &str| {
        ["org: &OrgId", "fence: &Fence", "reach: Reach"].iter().any(|kind| parameters.contains(kind))
    };
    let open: BTreeSet<&str> =
        queries.iter().filter(|(_, parameters)| !confined(parameters)).map(|(name, _)| name.as_str()).collect();
    let named: BTreeSet<&str> = OF_ALL.iter().map(|(name, _)| *name).collect();
    let missing: Vec<_> = open.difference(&named).collect();
    assert!(missing.is_empty(), "take neither an organisation nor a fence, and nobody says why: {missing:?}");
    let stale: Vec<_> = named.difference(&open).collect();
    assert!(stale.is_empty(), "named for nothing: {stale:?}");
}
