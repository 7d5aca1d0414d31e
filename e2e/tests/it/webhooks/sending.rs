//! What is told when, how often and in which order; secrets that change; endpoints that only fail; gateways that die.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::{Context, Result, ensure};
use reelgate_e2e::{
    client::Upload,
    process::{Folder, eventually},
    site::{Footing, web_safe_clip},
};
use serde_json::json;

use super::{
    PATIENCE, People, builder, code_of, events,
    receiver::{Received, Receiver, Reply},
};

crate::on_both_footings!(
    every_event_is_told_once_signed_and_in_order,
    failures_are_repeated_marked_and_hold_back_their_file_only,
    a_secret_that_was_rotated_signs_beside_the_new_one_for_a_while,
    an_endpoint_that_only_fails_is_given_up_on,
    what_a_killed_gateway_was_sending_is_sent_again,
    a_deleted_endpoint_hears_nothing_more,
);

/// Of each file, its events in the order in which they were accepted.
fn accepted(received: &[Received], by: impl Fn(&Received) -> bool) -> BTreeMap<String, Vec<i64>> {
    let mut files: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for request in received.iter().filter(|request| by(request)) {
        files.entry(request.file()).or_default().push(request.event().parse().unwrap_or_default());
    }
    files
}

fn assert_in_order(files: &BTreeMap<String, Vec<i64>>) {
    for (file, events) in files {
        assert!(events.is_sorted_by(|before, after| before < after), "{file}: {events:?}");
    }
}

async fn every_event_is_told_once_signed_and_in_order(footing: Footing) -> Result<()> {
    let (site, folder) = (builder(footing).gateways(2).start().await?, Folder::new("told")?);
    let people = People::of(&site);
    let receiver = Receiver::start(|_| Reply::Status(204)).await?;
    let (all, secret) = people.endpoint(&json!({"url": receiver.url("/all?of=it")})).await?;
    let (some, _) = people.endpoint(&json!({"url": receiver.url("/some"), "events": ["file.deleted"]})).await?;
    let film = people.member.upload_one(Upload::file("clip.mp4", "video/mp4", web_safe_clip(&folder)?)).await?;
    let text = people.text("a.txt").await?;
    people.member.wait_settled(&film, PATIENCE).await?;
    people.member.delete(&format!("/v1/files/{text}")).await?.expect(200)?;

    let log = people.settled(&site, &all).await?;
    ensure!(log.iter().all(|it| it["state"] == "delivered" && it["attempts"] == 1), "{log:#?}");
    eventually("the other endpoint has heard it", PATIENCE, async || {
        people.log(&some, "state=delivered").await.is_ok_and(|log| log.len() == 1)
    })
    .await?;
    let received = receiver.received();
    let of = |path: &str| received.iter().filter(|it| it.path == path).cloned().collect::<Vec<_>>();
    let (told, deleted) = (of("/all?of=it"), of("/some"));
    let heard: BTreeSet<_> = told
        .iter()
        .map(|it| (it.event(), it.file(), it.json()["type"].as_str().unwrap_or_default().to_owned()))
        .collect();
    ensure!(told.len() == heard.len(), "something came twice: {told:#?}");
    let happened: BTreeSet<_> = events(&site.database().await?).await?.into_iter().collect();
    ensure!(heard.is_subset(&happened) && heard.len() >= log.len(), "{heard:?} of {happened:?}");
    assert_in_order(&accepted(&told, |_| true));
    for request in &told {
        ensure!(request.signed_by(&secret)? == (1, true) && request.attempt() == 1, "{request:#?}");
        let body = request.json();
        ensure!(body["id"] == request.event() && body["type"] == request.header("reelgate-event-type"), "{body}");
        ensure!(body["created_at"].is_string() && body["data"].is_object(), "{body}");
        ensure!(request.header("user-agent").starts_with("Reelgate/"), "{request:#?}");
    }
    ensure!(deleted.len() == 1 && deleted[0].file() == text, "{deleted:#?}");
    Ok(())
}

/// Each delivery fails twice, in another way each. Files do not wait for each other, events of one do.
async fn failures_are_repeated_marked_and_hold_back_their_file_only(footing: Footing) -> Result<()> {
    let site = builder(footing).start().await?;
    let people = People::of(&site);
    let elsewhere = Receiver::start(|_| Reply::Status(200)).await?;
    let away = elsewhere.url("/elsewhere");
    let receiver = Receiver::start(move |request| match request.attempt() {
        1 => Reply::Status(500),
        2 => match request.event().parse::<u32>().unwrap_or_default() % 3 {
            0 => Reply::Hang,
            1 => Reply::RedirectTo(away.clone()),
            _ => Reply::Close,
        },
        _ => Reply::Status(200),
    })
    .await?;
    let (id, secret) = people.endpoint(&json!({"url": receiver.url("/")})).await?;
    for name in ["a.txt", "b.txt", "c.txt"] {
        let file = people.text(name).await?;
        people.member.delete(&format!("/v1/files/{file}")).await?.expect(200)?;
    }
    let log = people.settled(&site, &id).await?;
    ensure!(log.iter().all(|it| it["state"] == "delivered" && it["attempts"] == 3), "{log:#?}");
    let received = receiver.received();
    let mut attempts: HashMap<String, Vec<u32>> = HashMap::new();
    for request in &received {
        attempts.entry(request.delivery()).or_default().push(request.attempt());
        ensure!(request.signed_by(&secret)?.1, "{request:#?}");
    }
    ensure!(attempts.len() == log.len() && attempts.values().all(|it| *it == [1, 2, 3]), "{attempts:?}");
    // An event is not even tried before the one before it is accepted.
    assert_in_order(&accepted(&received, |request| request.attempt() == 3));
    for (at, request) in received.iter().enumerate().filter(|(_, request)| request.attempt() == 1) {
        let earlier = received[..at].iter().filter(|it| it.file() == request.file());
        let unfinished = earlier.fold(BTreeSet::new(), |mut open, it| {
            if it.attempt() == 3 {
                open.remove(&it.event())
            } else {
                open.insert(it.event())
            };
            open
        });
        ensure!(unfinished.is_empty(), "{} came while {unfinished:?} were open", request.event());
    }
    ensure!(elsewhere.connections() == 0, "a redirect was followed");
    Ok(())
}

async fn a_secret_that_was_rotated_signs_beside_the_new_one_for_a_while(footing: Footing) -> Result<()> {
    let site = builder(footing).start().await?;
    let people = People::of(&site);
    let receiver = Receiver::start(|_| Reply::Status(200)).await?;
    let (id, first) = people.endpoint(&json!({"url": receiver.url("/")})).await?;
    let rotate = async |body: serde_json::Value| -> Result<String> {
        let answer = people.admin.post_json(&format!("/v1/webhooks/{id}/rotate"), &body).await?.expect(200)?.json()?;
        Ok(answer["secret"].as_str().context("no secret")?.to_owned())
    };
    let signed = async |secrets: &[&String]| -> Result<()> {
        let tried = people.post(&format!("/v1/webhooks/{id}/test")).await?.expect(200)?.json()?;
        ensure!(tried["state"] == "delivered" && tried["type"] == "webhook.test", "{tried}");
        let request = receiver.received().pop().context("nothing came")?;
        ensure!(request.delivery() == tried["id"] && request.body == tried["body"], "{request:#?}");
        for secret in secrets {
            ensure!(request.signed_by(secret)? == (secrets.len(), true), "{request:#?}");
        }
        Ok(())
    };
    signed(&[&first]).await?;
    let second = rotate(json!({})).await?;
    ensure!(people.show(&id).await?["old_secret_until"].is_string());
    signed(&[&second, &first]).await?;
    let third = rotate(json!({"grace_seconds": 0})).await?;
    signed(&[&third]).await?;
    // Shown once, and in no log.
    let shown = people.admin.get("/v1/webhooks").await?.expect(200)?.body;
    let logs: String = site.logs()?.iter().filter_map(|log| std::fs::read_to_string(log).ok()).collect();
    for secret in [&first, &second, &third] {
        ensure!(secret.len() > 40 && !String::from_utf8_lossy(&shown).contains(secret.as_str()));
        ensure!(!logs.contains(secret.as_str()), "a secret is in a log");
    }
    ensure!(logs.contains("a webhook's secret was rotated"), "no line says who rotated it");
    Ok(())
}

async fn an_endpoint_that_only_fails_is_given_up_on(footing: Footing) -> Result<()> {
    let site = builder(footing)
        .env("REELGATE__WEBHOOKS__RETRY_MS", "600")
        .env("REELGATE__WEBHOOKS__DISABLE_AFTER_MS", "0")
        .env("REELGATE__WEBHOOKS__DISABLE_FAILURES", "12")
        .start()
        .await?;
    let people = People::of(&site);
    let receiver = Receiver::start(|_| Reply::Status(503)).await?;
    let (id, _) = people.endpoint(&json!({"url": receiver.url("/")})).await?;
    people.text("first.txt").await?;
    eventually("one is given up", PATIENCE, async || {
        people.log(&id, "state=given_up").await.is_ok_and(|log| !log.is_empty())
    })
    .await?;
    for name in ["second.txt", "third.txt", "fourth.txt"] {
        people.text(name).await?;
    }
    eventually("the endpoint is disabled", PATIENCE, async || {
        people.show(&id).await.is_ok_and(|it| it["enabled"] == false)
    })
    .await?;
    let shown = people.show(&id).await?;
    ensure!(shown["disabled"]["reason"] == "failing" && shown["disabled"]["at"].is_string(), "{shown}");
    ensure!(shown["failing_since"].is_string() && shown["failures"].as_u64() >= Some(12), "{shown}");
    let given_up = people.log(&id, "state=given_up").await?;
    ensure!(!given_up.is_empty() && given_up.iter().all(|it| code_of(it) == "bad_status"), "{given_up:#?}");
    ensure!(given_up.iter().all(|it| it["last_attempt"]["status"] == 503 && it["finished_at"].is_string()));
    // What happens meanwhile it is not told later; what happens afterwards it is.
    let unheard = people.text("unheard.txt").await?;
    let enabled = people.change(&id, &json!({"enabled": true})).await?.expect(200)?.json()?;
    ensure!(enabled["disabled"].is_null() && enabled["failures"] == 0, "{enabled}");
    let heard = people.text("heard.txt").await?;
    eventually("it is told again", PATIENCE, async || receiver.received().iter().any(|it| it.file() == heard)).await?;
    ensure!(receiver.received().iter().all(|it| it.file() != unheard), "told of what it was not to be told");
    Ok(())
}

async fn what_a_killed_gateway_was_sending_is_sent_again(footing: Footing) -> Result<()> {
    let mut site = builder(footing).start().await?;
    let people = People::of(&site);
    let receiver = Receiver::start(|it| if it.attempt() == 1 { Reply::Hang } else { Reply::Status(200) }).await?;
    let (id, _) = people.endpoint(&json!({"url": receiver.url("/"), "events": ["file.deleted"]})).await?;
    let file = people.text("a.txt").await?;
    if footing == Footing::Production {
        // The first gateway has the office; this one waits for it.
        site.start_gateway().await?;
    }
    people.member.delete(&format!("/v1/files/{file}")).await?.expect(200)?;
    eventually("it is being sent", PATIENCE, async || !receiver.received().is_empty()).await?;
    match footing {
        Footing::Embedded => site.restart_gateway(0).await?,
        Footing::Production => {
            site.gateways[0].process.kill()?;
            site.gateways.remove(0);
        }
    }
    let answering = People::of(&site);
    eventually("somebody sends it again", PATIENCE, async || receiver.received().len() > 1).await?;
    eventually("it is delivered", PATIENCE, async || {
        answering.log(&id, "state=delivered").await.is_ok_and(|log| log.len() == 1)
    })
    .await?;
    let attempts: Vec<_> = receiver.received().iter().map(|it| (it.delivery(), it.attempt())).collect();
    let delivery = attempts[0].0.clone();
    ensure!(attempts == [(delivery.clone(), 1), (delivery, 2)], "{attempts:?}");
    ensure!(!site.output().contains("answer_timeout"), "whoever had it was not killed, but gave up waiting");
    Ok(())
}

async fn a_deleted_endpoint_hears_nothing_more(footing: Footing) -> Result<()> {
    let site = builder(footing).start().await?;
    let people = People::of(&site);
    let receiver = Receiver::start(|it| Reply::Status(if it.path == "/deleted" { 500 } else { 200 })).await?;
    let (id, _) = people.endpoint(&json!({"url": receiver.url("/deleted")})).await?;
    let (witness, _) = people.endpoint(&json!({"url": receiver.url("/witness")})).await?;
    people.text("a.txt").await?;
    eventually("something waits", PATIENCE, async || {
        people.log(&id, "state=waiting").await.is_ok_and(|log| log.iter().any(|it| it["attempts"] != 0))
    })
    .await?;
    people.admin.delete(&format!("/v1/webhooks/{id}")).await?.expect(200)?;
    ensure!(
        people.admin.get(&format!("/v1/webhooks/{id}/deliveries")).await?.expect(404)?.code() == "webhook_not_found"
    );
    // What was under way may still come; after another event has gone all its way, nothing does.
    people.text("b.txt").await?;
    people.settled(&site, &witness).await?;
    let came = |path: &str| receiver.received().iter().filter(|it| it.path == path).count();
    let before = came("/deleted");
    people.text("c.txt").await?;
    people.settled(&site, &witness).await?;
    ensure!(came("/deleted") == before, "it was told more");
    Ok(())
}
