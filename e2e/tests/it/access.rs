//! The access matrix: every credential against every endpoint, on both footings. Each cell is one word of the table:
//! `ok`, or the status and the code that it must be refused with. All wrong cells are reported at once.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{collections::BTreeMap, time::Duration};

use anyhow::Result;
use bytes::Bytes;
use http::Method;
use reelgate_e2e::{
    client::{Answer, Client, Upload, id_of},
    process::{Folder, eventually},
    sign_in::{SignIn, WRONG_SECRET, forged_stream_token, stream_token, tampered},
    site::{Footing, Site, web_safe_clip},
};
use serde_json::json;

/// For the video to be processed on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Columns, in the order of the table: `mint` is `POST /v1/files/token`, `best`, `source` and `text` are
/// `GET /v1/files/stream/{id}` of the video, of its exact upload and of a text, `by-loc` the same by location, `loc`
/// `POST /v1/files/location`, `get` and `delete` `/v1/files/{id}`, `post` `POST /v1/files`, `jobs` the list of the video's, `job` `GET /v1/jobs/{id}`, `rerun` and
/// `cancel` `POST` below it, `retry` `POST /v1/files/{id}/retry`; the video's job is done. `board`, `thumb` and `words` are the
/// storyboard, a thumbnail and captions of the video, `caption` adds some. `patch` is `PATCH /v1/files/{id}`, `restore` `POST` below it of
/// what is not in the trash, `many` `POST /v1/files/delete`.
///
/// `422`: no `token` parameter. `401`: `not_signed_in`. `exp`, `inv`: 401 `token_expired`, `token_invalid`.
/// `404`: `file_not_found`. `403`: `not_owner`, `scope`: 403 `scope_missing`. `adm`: 403 `not_admin`. `nojob`: 404
/// `job_not_found`. `nrt`, `over`, `nottr`: 409 `not_retryable`, `job_over`, `not_trashed`. `r403`, `r404`: 200, and `not_owner`,
/// `file_not_found` with the file.
const TABLE: &str = "
                           mint best  source text  by-loc loc get   delete post list info cost poster jobs job   retry rerun cancel board thumb words caption patch restore many
    nobody                 401  422   422    422   422    401 401   401    401  401  401  401  401    401  401   401   401   401    401   401   401   401  401   401     401
    owner                  ok   ok    ok     ok    ok     ok  ok    ok     ok   ok   ok   ok   ok     ok   ok    nrt   adm   adm    ok    ok    ok    ok   ok    nottr   ok
    same-organisation      ok   ok    ok     ok    ok     ok  403   403    ok   ok   ok   ok   ok     adm  403   403   adm   adm    ok    ok    ok    403  403   nottr   r403
    organisation-admin     ok   ok    ok     ok    ok     ok  ok    ok     ok   ok   ok   ok   ok     ok   ok    nrt   nrt   over   ok    ok    ok    ok   ok    nottr   ok
    other-organisation     ok   404   404    404   404    404 404   404    ok   ok   404  404  404    adm  nojob 404   adm   adm    404   404   404   404  404   404     r404
    operator               ok   404   404    404   404    404 404   404    ok   ok   404  404  404    ok   ok    404   adm   adm    404   404   404   404  404   404     r404
    other-organisation-adm ok   404   404    404   404    404 404   404    ok   ok   404  404  404    ok   nojob 404   nojob nojob  404   404   404   404  404   404     r404
    expired                exp  exp   exp    exp   exp    exp exp   exp    exp  exp  exp  exp  exp    exp  exp   exp   exp   exp    exp   exp   exp   exp  exp   exp     exp
    tampered               inv  inv   inv    inv   inv    inv inv   inv    inv  inv  inv  inv  inv    inv  inv   inv   inv   inv    inv   inv   inv   inv  inv   inv     inv
    alg-none               inv  inv   inv    inv   inv    inv inv   inv    inv  inv  inv  inv  inv    inv  inv   inv   inv   inv    inv   inv   inv   inv  inv   inv     inv
    wrong-key              inv  inv   inv    inv   inv    inv inv   inv    inv  inv  inv  inv  inv    inv  inv   inv   inv   inv    inv   inv   inv   inv  inv   inv     inv
    stream-token-as-bearer inv  inv   inv    inv   inv    inv inv   inv    inv  inv  inv  inv  inv    inv  inv   inv   inv   inv    inv   inv   inv   inv  inv   inv     inv
    ?owner                 401  ok    ok     ok    ok     401 ok    401    401  401  401  401  ok     401  401   401   401   401    ok    ok    ok    401  401   401     401
    ?same-organisation     401  ok    ok     ok    ok     401 403   401    401  401  401  401  ok     401  401   401   401   401    ok    ok    ok    401  401   401     401
    ?organisation-admin    401  ok    ok     ok    ok     401 403   401    401  401  401  401  ok     401  401   401   401   401    ok    ok    ok    401  401   401     401
    ?other-organisation    401  404   404    404   404    401 404   401    401  401  401  401  404    401  401   401   401   401    404   404   404   401  401   401     401
    ?expired               401  exp   exp    exp   exp    401 exp   401    401  401  401  401  exp    401  401   401   401   401    exp   exp   exp   401  401   401     401
    ?tampered              401  inv   inv    inv   inv    401 inv   401    401  401  401  401  inv    401  401   401   401   401    inv   inv   inv   401  401   401     401
    ?alg-none              401  inv   inv    inv   inv    401 inv   401    401  401  401  401  inv    401  401   401   401   401    inv   inv   inv   401  401   401     401
    ?wrong-key             401  inv   inv    inv   inv    401 inv   401    401  401  401  401  inv    401  401   401   401   401    inv   inv   inv   401  401   401     401
    ?sign-in-as-token      401  inv   inv    inv   inv    401 inv   401    401  401  401  401  inv    401  401   401   401   401    inv   inv   inv   401  401   401     401
    ?empty                 401  inv   inv    inv   inv    401 inv   401    401  401  401  401  inv    401  401   401   401   401    inv   inv   inv   401  401   401     401
    ?of-another-file       401  404   404    404   404    401 404   401    401  401  401  401  404    401  401   401   401   401    404   404   404   401  401   401     401
    ?of-these-files        401  ok    ok     ok    ok     401 ok    401    401  401  401  401  ok     401  401   401   401   401    ok    ok    ok    401  401   401     401
    ?scope-play            401  ok    scope  scope ok     401 scope 401    401  401  401  401  scope  401  401   401   401   401    scope scope ok    401  401   401     401
    ?scope-source          401  scope ok     scope scope  401 ok    401    401  401  401  401  scope  401  401   401   401   401    scope scope scope 401  401   401     401
    ?scope-image           401  scope scope  scope scope  401 scope 401    401  401  401  401  ok     401  401   401   401   401    ok    ok    scope 401  401   401     401
";

const CAPTIONS: &str = "WEBVTT\n\n00:00.000 --> 00:01.000\nHello\n";

#[tokio::test(flavor = "multi_thread")]
async fn everybody_may_do_what_the_table_says_and_nothing_else_embedded() -> Result<()> {
    check_matrix(Footing::Embedded).await
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_may_do_what_the_table_says_and_nothing_else_production() -> Result<()> {
    check_matrix(Footing::Production).await
}

async fn check_matrix(footing: Footing) -> Result<()> {
    let site = Site::builder(footing)
        .env("REELGATE__THUMBNAILS__WAIT_MS", "30000")
        .env("REELGATE__AUTH__OPERATOR_ROLE", "operator")
        .start()
        .await?;
    let stage = Stage::set(&site).await?;
    let wrong = stage.check().await?;
    assert!(wrong.is_empty(), "{} wrong cells:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}

/// The files that the cells ask for, all of alice's, and one credential per row.
struct Stage {
    nobody: Client,
    owner: Client,
    video: String,
    job: String,
    location: String,
    text: String,
    /// Two for each row.
    victims: Vec<(String, String)>,
    credentials: BTreeMap<&'static str, String>,
}

/// The words of one line after the name.
fn rows() -> (Vec<&'static str>, Vec<(&'static str, Vec<&'static str>)>) {
    let mut lines =
        TABLE.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).filter(|line| !line.is_empty());
    let columns = lines.next().unwrap();
    let rows: Vec<_> = lines.map(|words| (words[0], words[1..].to_vec())).collect();
    for (name, cells) in &rows {
        assert_eq!(cells.len(), columns.len(), "the row {name} of the table");
    }
    (columns, rows)
}

impl Stage {
    async fn set(site: &Site) -> Result<Self> {
        let folder = Folder::new("access")?;
        let nobody = site.client();
        let alice = SignIn::member("alice", "acme");
        let owner = nobody.signed_in(alice.jwt());
        let video = owner.upload_one(Upload::file("clip.mp4", "video/mp4", web_safe_clip(&folder)?)).await?;
        let text = owner.upload_one(Upload::text("notes.txt", "notes")).await?;
        let another = owner.upload_one(Upload::text("another.txt", "another")).await?;
        let victims = || rows().1.iter().map(|(name, _)| Upload::text("victim.txt", *name)).collect();
        let victims = [owner.upload(victims()).await?, owner.upload(victims()).await?];
        let [victims, crowd] = victims.map(|files| files.iter().map(id_of).collect::<Result<Vec<_>>>());
        let victims = victims?.into_iter().zip(crowd?).collect();
        owner.wait_settled(&video, PATIENCE).await?;
        let captions = format!("/v1/files/{video}/captions?language=en");
        owner.send(Method::POST, &captions, &[], CAPTIONS).await?.expect(200)?;
        let location = owner.info(&video).await?["location"].as_str().unwrap().to_owned();
        let credentials = credentials(&nobody, &[&video, &text], &another).await?;
        let admin = nobody.signed_in(SignIn::admin("carol", "acme").jwt());
        let jobs = admin.get(&format!("/v1/jobs?file_id={video}")).await?.expect(200)?.json()?;
        let job = jobs["jobs"][0]["id"].as_str().unwrap().to_owned();
        Ok(Self { nobody, owner, video, job, location, text, victims, credentials })
    }

    async fn check(&self) -> Result<Vec<String>> {
        let (columns, rows) = rows();
        let mut wrong = Vec::new();
        for ((row, cells), victim) in rows.iter().zip(&self.victims) {
            for (column, cell) in columns.iter().zip(cells) {
                let answer = self.ask(row, column, victim).await?;
                let (got, wanted) = (described(&answer), meaning(cell));
                if got != wanted {
                    wrong.push(format!("{row} × {column}: {got}, not {wanted}"));
                }
                wrong.extend(self.contradiction(row, column, cell, &answer, victim).await?);
            }
        }
        Ok(wrong)
    }

    async fn ask(&self, row: &str, column: &str, (victim, crowd): &(String, String)) -> Result<Answer> {
        let (client, token) = match self.credentials.get(row) {
            None => (self.nobody.clone(), None),
            Some(token) if row.starts_with('?') => (self.nobody.clone(), Some(token)),
            Some(jwt) => (self.nobody.signed_in(jwt), None),
        };
        let Self { video, text, location, job, .. } = self;
        let mut path = match column {
            "mint" => "/v1/files/token".to_owned(),
            "best" => format!("/v1/files/stream/{video}"),
            "source" => format!("/v1/files/stream/{video}?rendition=source"),
            "text" => format!("/v1/files/stream/{text}"),
            "by-loc" => format!("/v1/files/stream?location={location}"),
            "loc" => "/v1/files/location".to_owned(),
            "get" => format!("/v1/files/{video}"),
            "delete" => format!("/v1/files/{victim}"),
            "post" | "list" => "/v1/files?limit=200".to_owned(),
            "info" => format!("/v1/files/{video}/info"),
            "cost" => format!("/v1/files/{video}/cost"),
            "poster" => format!("/v1/files/{video}/poster"),
            "jobs" => format!("/v1/jobs?file_id={video}"),
            "job" => format!("/v1/jobs/{job}"),
            "retry" => format!("/v1/files/{video}/retry"),
            "rerun" => format!("/v1/jobs/{job}/retry"),
            "cancel" => format!("/v1/jobs/{job}/cancel"),
            "board" => format!("/v1/files/{video}/storyboard.vtt"),
            "thumb" => format!("/v1/files/{video}/thumbnail?t=0&w=160"),
            "words" => format!("/v1/files/{video}/captions/en.vtt"),
            "caption" => format!("/v1/files/{video}/captions?language=en"),
            "patch" => format!("/v1/files/{video}"),
            "restore" => format!("/v1/files/{video}/restore"),
            "many" => "/v1/files/delete".to_owned(),
            _ => panic!("no column {column}"),
        };
        if let Some(token) = token {
            path.push(if path.contains('?') { '&' } else { '?' });
            path.push_str(&format!("token={token}"));
        }
        match column {
            "mint" | "retry" | "rerun" | "cancel" | "restore" => {
                client.send(Method::POST, &path, &[], Bytes::new()).await
            }
            "loc" => client.post_json(&path, &json!({ "location": location })).await,
            "delete" => client.delete(&path).await,
            "patch" => client.send(Method::PATCH, &path, &[], json!({ "tags": [row] }).to_string()).await,
            "many" => client.post_json(&path, &json!({ "ids": [crowd] })).await,
            "caption" => client.send(Method::POST, &path, &[], CAPTIONS).await,
            "post" => client.post_files(&path, vec![Upload::text("new.txt", "new")]).await,
            _ => client.get(&path).await,
        }
    }

    /// What an answer with the right status may still betray or fail to do.
    async fn contradiction(
        &self,
        row: &str,
        column: &str,
        cell: &str,
        answer: &Answer,
        (victim, crowd): &(String, String),
    ) -> Result<Option<String>> {
        let complaint = match column {
            "delete" | "many" => {
                let target = if column == "many" { crowd } else { victim };
                let gone = self.owner.get(&format!("/v1/files/{target}/info")).await?.status == 404;
                (gone != (cell == "ok")).then_some("the file's life contradicts the answer")
            }
            "patch" => {
                let bears = self.owner.info(&self.video).await?["tags"] == json!([row]);
                (bears != (cell == "ok")).then_some("what is said about the file contradicts the answer")
            }
            "list" if cell == "ok" => {
                let listed = String::from_utf8_lossy(&answer.body).contains(&self.video);
                let foreign = row.starts_with("other") || row == "operator";
                (listed == foreign).then_some("lists another organisation's files, or not the own")
            }
            "jobs" if cell == "ok" => {
                let listed = String::from_utf8_lossy(&answer.body).contains(&self.job);
                (listed == row.starts_with("other")).then_some("lists another organisation's jobs, or not the own")
            }
            "best" | "source" | "text" | "by-loc" | "loc" | "get" | "poster" | "board" | "thumb" | "words"
                if cell == "ok" =>
            {
                answer.body.is_empty().then_some("an empty body")
            }
            _ => None,
        };
        Ok(complaint.map(|complaint| format!("{row} × {column}: {complaint}")))
    }
}

fn described(answer: &Answer) -> String {
    if answer.status.is_success() {
        let result = answer.json().ok().and_then(|body| Some(body["results"][0]["error"]["code"].as_str()?.to_owned()));
        let with = result.map(|code| format!(" with {code}")).unwrap_or_default();
        format!("{}{with}", answer.status.as_str())
    } else {
        format!("{} {}", answer.status.as_str(), answer.code())
    }
}

fn meaning(cell: &str) -> String {
    match cell {
        "ok" => "200",
        "401" => "401 not_signed_in",
        "exp" => "401 token_expired",
        "inv" => "401 token_invalid",
        "403" => "403 not_owner",
        "scope" => "403 scope_missing",
        "adm" => "403 not_admin",
        "nrt" => "409 not_retryable",
        "over" => "409 job_over",
        "nottr" => "409 not_trashed",
        "r403" => "200 with not_owner",
        "r404" => "200 with file_not_found",
        "nojob" => "404 job_not_found",
        "404" => "404 file_not_found",
        "422" => "422 validation_failed",
        _ => panic!("no such word: {cell}"),
    }
    .to_owned()
}

/// By row; `nobody` has none.
async fn credentials(nobody: &Client, files: &[&str], another: &str) -> Result<BTreeMap<&'static str, String>> {
    let alice = SignIn::member("alice", "acme");
    let own = nobody.signed_in(alice.jwt());
    let narrowed = async |wish| own.stream_token(&wish).await;
    let mint = async |who: SignIn| nobody.signed_in(who.jwt()).stream_token(&json!({})).await;
    let (bob, carol) = (SignIn::member("bob", "acme"), SignIn::admin("carol", "acme"));
    let (dave, erin) = (SignIn::member("alice", "globex"), SignIn::admin("erin", "globex"));
    Ok(BTreeMap::from([
        ("owner", alice.jwt()),
        ("same-organisation", bob.jwt()),
        ("organisation-admin", carol.jwt()),
        // The same name in another organisation is another user.
        ("other-organisation", dave.jwt()),
        ("other-organisation-adm", erin.jwt()),
        // Sees jobs wherever they are, and nothing else.
        ("operator", SignIn::operator("olga", "globex").jwt()),
        ("expired", alice.clone().ttl(-60).jwt()),
        ("tampered", tampered(&alice.jwt())),
        ("alg-none", alice.alg_none()),
        ("wrong-key", alice.signed_with(WRONG_SECRET)),
        ("stream-token-as-bearer", stream_token("alice", "acme", 300)),
        ("?owner", mint(alice.clone()).await?),
        ("?same-organisation", mint(bob).await?),
        ("?organisation-admin", mint(carol).await?),
        ("?other-organisation", mint(dave).await?),
        ("?expired", stream_token("alice", "acme", -60)),
        ("?tampered", tampered(&stream_token("alice", "acme", 300))),
        ("?alg-none", alice.alg_none()),
        ("?wrong-key", forged_stream_token("alice", "acme")),
        ("?sign-in-as-token", alice.jwt()),
        ("?empty", String::new()),
        ("?of-another-file", narrowed(json!({ "file_ids": [another] })).await?),
        ("?of-these-files", narrowed(json!({ "file_ids": files })).await?),
        ("?scope-play", narrowed(json!({ "scope": ["play"] })).await?),
        ("?scope-source", narrowed(json!({ "scope": ["source"] })).await?),
        ("?scope-image", narrowed(json!({ "scope": ["image"] })).await?),
    ]))
}

/// Whether a file exists must not show: a foreign one is refused in the very words of one that never was.
#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_file_and_a_missing_one_look_the_same() -> Result<()> {
    let site = Site::start(Footing::Embedded).await?;
    let owner = site.client().signed_in(SignIn::member("alice", "acme").jwt());
    let foreign = owner.upload_one(Upload::text("secret.txt", "secret")).await?;
    let missing = uuid::Uuid::now_v7().to_string();
    let stranger = site.client().signed_in(SignIn::admin("erin", "globex").jwt());
    for path in ["/v1/files/stream/ID", "/v1/files/stream/ID?rendition=nonsense", "/v1/files/ID", "/v1/files/ID/info"] {
        let (one, other) = (path.replace("ID", &foreign), path.replace("ID", &missing));
        let (one, other) = (stranger.get(&one).await?, stranger.get(&other).await?);
        assert_eq!((one.status, &one.body), (other.status, &other.body), "{path}");
        let named = |answer: &Answer| answer.headers.keys().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(named(&one), named(&other), "{path}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_gateway_grants_and_takes_away_holds_at_the_other() -> Result<()> {
    let site = Site::builder(Footing::Production).gateways(2).workers(0).start().await?;
    let (one, other) = (site.gateways[0].client(), site.gateways[1].client());
    let alice = one.signed_in(SignIn::member("alice", "acme").jwt());
    let file = alice.upload_one(Upload::text("notes.txt", "notes")).await?;
    let path = format!("/v1/files/stream/{file}?token={}", alice.stream_token(&json!({})).await?);
    assert_eq!(other.get(&path).await?.expect(200)?.body, "notes");
    assert_eq!(other.range(&path, 1..4).await?, "ote");
    alice.delete(&format!("/v1/files/{file}")).await?.expect(200)?;
    one.get(&path).await?.expect(404)?;
    // The other one may remember the file for a moment, but never for longer than ten seconds.
    eventually("the other gateway has noticed", Duration::from_secs(10), async || {
        other.get(&path).await.is_ok_and(|answer| answer.status == 404)
    })
    .await
}
