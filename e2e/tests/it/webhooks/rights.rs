//! Who may do what with webhooks, what is refused and how, and sending again what was sent.

use anyhow::{Context, Result, ensure};
use http::Method;
use reelgate_e2e::{process::eventually, site::Footing};
use serde_json::json;

use super::{
    PATIENCE, People, builder,
    receiver::{Receiver, Reply},
};

crate::on_both_footings!(only_admins_of_the_organisation_have_webhooks, what_was_sent_is_sent_again_when_somebody_asks,);

async fn only_admins_of_the_organisation_have_webhooks(footing: Footing) -> Result<()> {
    let site = builder(footing).env("REELGATE__WEBHOOKS__MAX_ENDPOINTS", "3").start().await?;
    let people = People::of(&site);
    let receiver = Receiver::start(|_| Reply::Status(200)).await?;
    let wish = json!({"url": receiver.url("/"), "description": "ours", "events": ["file.ready", "file.failed"]});
    let (id, _) = people.endpoint(&wish).await?;
    let tried = people.post(&format!("/v1/webhooks/{id}/test")).await?.expect(200)?.json()?;
    let delivery = tried["id"].as_str().context("no id")?;

    let routes = [
        (Method::GET, "/v1/webhooks".to_owned()),
        (Method::POST, "/v1/webhooks".to_owned()),
        (Method::GET, format!("/v1/webhooks/{id}")),
        (Method::PATCH, format!("/v1/webhooks/{id}")),
        (Method::POST, format!("/v1/webhooks/{id}/rotate")),
        (Method::POST, format!("/v1/webhooks/{id}/test")),
        (Method::GET, format!("/v1/webhooks/{id}/deliveries")),
        (Method::POST, format!("/v1/webhooks/{id}/deliveries/{delivery}/resend")),
        (Method::DELETE, format!("/v1/webhooks/{id}")),
    ];
    let nobody = site.client();
    for (method, path) in &routes {
        let said = async |client: &reelgate_e2e::client::Client| client.send(method.clone(), path, &[], "{}").await;
        ensure!(said(&nobody).await?.status == 401, "{method} {path}");
        let member = said(&people.member).await?;
        ensure!(member.status == 403 && member.code() == "not_admin", "{method} {path}: {member:?}");
        if path.contains(&id) {
            let foreign = said(&people.other).await?;
            ensure!(foreign.status == 404 && foreign.code() == "webhook_not_found", "{method} {path}: {foreign:?}");
        }
    }
    let foreign = people.other.get("/v1/webhooks").await?.expect(200)?.json()?;
    ensure!(foreign == json!({"webhooks": []}), "{foreign}");
    ensure!(receiver.received().len() == 1, "somebody else has had something sent");

    let shown = people.show(&id).await?;
    ensure!(shown["events"] == json!(["file.failed", "file.ready"]) && shown["description"] == "ours", "{shown}");
    let changed = people.change(&id, &json!({"events": ["*"], "enabled": false})).await?.expect(200)?.json()?;
    ensure!(changed["disabled"]["reason"] == "by_admin" && changed["url"] == shown["url"], "{changed}");
    let wrong = people.change(&id, &json!({"url": "x", "events": ["file.eaten"]})).await?.expect(422)?.json()?;
    ensure!(wrong["detail"].as_array().is_some_and(|list| list.len() == 2), "{wrong}");

    // However many ask at once, there are as many as there may be.
    let asked = futures_util::future::join_all((0..6).map(|_| people.admin.post_json("/v1/webhooks", &wish))).await;
    let answers = asked.into_iter().collect::<Result<Vec<_>>>()?;
    let made = answers.iter().filter(|answer| answer.status == 200).count();
    let refused = answers.iter().filter(|answer| answer.status == 409 && answer.code() == "too_many_webhooks").count();
    ensure!((made, refused) == (2, 4), "{answers:?}");
    people.admin.delete(&format!("/v1/webhooks/{id}")).await?.expect(200)?;
    people.endpoint(&wish).await?;
    for (path, code) in [("/v1/webhooks/7".to_owned(), 422), (format!("/v1/webhooks/{id}"), 404)] {
        people.admin.get(&path).await?.expect(code)?;
    }
    Ok(())
}

async fn what_was_sent_is_sent_again_when_somebody_asks(footing: Footing) -> Result<()> {
    let site = builder(footing).start().await?;
    let people = People::of(&site);
    let receiver = Receiver::start(|_| Reply::Status(200)).await?;
    let (id, _) = people.endpoint(&json!({"url": receiver.url("/")})).await?;
    people.text("a.txt").await?;
    let log = people.settled(&site, &id).await?;
    let first = log.last().and_then(|it| it["id"].as_str()).context("no delivery")?.to_owned();
    let path = format!("/v1/webhooks/{id}/deliveries/{first}/resend");
    let again = people.post(&path).await?.expect(200)?.json()?;
    ensure!(again["id"] == first && again["state"] == "waiting", "{again}");
    let of_first = || receiver.received().into_iter().filter(|it| it.delivery() == first).collect::<Vec<_>>();
    eventually("it has come twice", PATIENCE, async || of_first().len() == 2).await?;
    let twice = of_first();
    ensure!((twice[0].attempt(), twice[1].attempt()) == (1, 2), "duplicates are marked: {twice:#?}");
    ensure!(twice[0].body == twice[1].body && twice[0].event() == twice[1].event(), "{twice:#?}");
    people.settled(&site, &id).await?;
    // While it waits it is not asked for a second time.
    people.change(&id, &json!({"enabled": false})).await?.expect(200)?;
    people.post(&path).await?.expect(200)?;
    ensure!(people.post(&path).await?.expect(409)?.code() == "delivery_under_way");
    let unknown = format!("/v1/webhooks/{id}/deliveries/{}/resend", uuid::Uuid::now_v7());
    ensure!(people.post(&unknown).await?.expect(404)?.code() == "delivery_not_found");
    Ok(())
}
