//! The IETF's draft of resumable uploads at the same addresses, case by case as tus. The names of the cases are a list in docs/uploads.md.

use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderName, Method};
use reelgate_e2e::{
    client::{Answer, Client},
    generated::generated,
    site::{Footing, Site},
};
use sha2::{Digest, Sha256};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::{
    Case,
    talk::{Headers, Talk, address, header, offset, say_in},
};

super::listed![
    options_say_that_the_draft_is_spoken,
    a_careful_creation_says_where_to_go_on,
    a_creation_with_everything_is_the_file,
    a_creation_with_some_goes_on_behind_it,
    another_version_of_the_draft_is_not_spoken,
    a_head_says_how_far_and_whether_complete,
    an_append_needs_its_three_headers,
    a_mismatching_offset_is_a_problem,
    inconsistent_lengths_are_a_problem,
    what_is_complete_takes_no_more,
    more_than_may_be_is_refused_with_the_limit,
    an_end_that_comes_early_keeps_what_came,
    a_body_without_a_length_ends_the_upload,
    a_wrong_content_digest_leaves_nothing,
    a_deleted_upload_is_gone,
    a_broken_append_loses_nothing_that_arrived,
    what_began_in_one_protocol_goes_on_in_the_other,
];

const COMPLETE: (&str, &str) = ("upload-complete", "?1");
const MORE: (&str, &str) = ("upload-complete", "?0");
const PROBLEMS: &str = "https://iana.org/assignments/http-problem-types#";
const PIECE: (&str, &str) = ("content-type", "application/partial-upload");

async fn say(
    client: &Client,
    method: Method,
    path: &str,
    headers: &Headers<'_>,
    body: impl Into<Bytes>,
) -> Result<Answer> {
    let answer = say_in(("upload-draft-interop-version", "9"), client, (method, path), headers, body).await?;
    ensure!(answer.headers["upload-draft-interop-version"] == "9" && !answer.headers.contains_key("tus-resumable"));
    ensure!(answer.headers["cache-control"] == "no-store");
    Ok(answer)
}

async fn create(talk: &Talk, headers: &Headers<'_>, body: impl Into<Bytes>) -> Result<Answer> {
    say(&talk.alice(), Method::POST, "/v1/uploads", headers, body).await
}

/// The address of a new upload without a byte.
async fn begin(talk: &Talk, headers: &Headers<'_>) -> Result<String> {
    address(&create(talk, &[&[MORE], headers].concat(), "").await?.expect(201)?)
}

async fn append(
    talk: &Talk,
    address: &str,
    (at, complete): (u64, (&str, &str)),
    headers: &Headers<'_>,
    body: impl Into<Bytes>,
) -> Result<Answer> {
    let at = at.to_string();
    let all = [&[PIECE, complete, ("upload-offset", at.as_str())], headers].concat();
    say(&talk.anybody(), Method::PATCH, address, &all, body).await
}

async fn head(talk: &Talk, address: &str) -> Result<Answer> {
    say(&talk.anybody(), Method::HEAD, address, &[], "").await?.expect(204)
}

fn is_complete(answer: &Answer) -> Result<bool> {
    match header(answer, "upload-complete")?.as_str() {
        "?1" => Ok(true),
        "?0" => Ok(false),
        other => anyhow::bail!("{other} is no boolean"),
    }
}

fn is_problem(answer: &Answer, kind: &str) -> Result<serde_json::Value> {
    ensure!(header(answer, "content-type")? == "application/problem+json" && !is_complete(answer)?);
    let body = answer.json()?;
    ensure!(body["type"] == format!("{PROBLEMS}{kind}") && body["status"] == answer.status.as_u16(), "{body}");
    ensure!(body["title"].is_string() && body["code"].is_string(), "{body}");
    Ok(body)
}

async fn options_say_that_the_draft_is_spoken(talk: Talk) -> Result<()> {
    let answer = talk.anybody().send(Method::OPTIONS, "/v1/uploads", &[], Bytes::new()).await?.expect(204)?;
    ensure!(header(&answer, "accept-patch")? == "application/partial-upload");
    ensure!(header(&answer, "upload-limit")?.starts_with("max-size="));
    ensure!(header(&answer, "tus-version")? == "1.0.0", "and tus");
    Ok(())
}

async fn a_careful_creation_says_where_to_go_on(talk: Talk) -> Result<()> {
    let named = [
        MORE,
        ("upload-length", "5"),
        ("content-type", "text/plain"),
        ("content-disposition", "inline; filename=\"x.txt\"; filename*=UTF-8''caf%C3%A9.txt"),
    ];
    let created = create(&talk, &named, "").await?.expect(201)?;
    ensure!(!is_complete(&created)? && header(&created, "upload-limit")?.contains("max-age="));
    let address = address(&created)?;
    ensure!(offset(&head(&talk, &address).await?)? == 0);
    let done = append(&talk, &address, (0, COMPLETE), &[], "hello").await?.expect(200)?;
    ensure!(is_complete(&done)? && offset(&done)? == 5);
    let file = done.json()?;
    ensure!(file["filename"] == "caf\u{e9}.txt" && file["size_bytes"] == 5, "{file}");
    ensure!(header(&done, "repr-digest")? == "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:");
    talk.has_file(&done, b"hello").await
}

async fn a_creation_with_everything_is_the_file(talk: Talk) -> Result<()> {
    for bytes in [generated(3, 6_000_000), Bytes::new()] {
        let done = create(&talk, &[COMPLETE], bytes.clone()).await?.expect(200)?;
        ensure!(is_complete(&done)?);
        talk.has_file(&done, &bytes).await?;
    }
    let anybody = say(&talk.anybody(), Method::POST, "/v1/uploads", &[COMPLETE], "x").await?.expect(401)?;
    ensure!(anybody.code() == "not_signed_in" && !is_complete(&anybody)?);
    Ok(())
}

async fn a_creation_with_some_goes_on_behind_it(talk: Talk) -> Result<()> {
    let created = create(&talk, &[MORE], "hel").await?.expect(201)?;
    ensure!(offset(&created)? == 3 && !is_complete(&created)?);
    let address = address(&created)?;
    let more = append(&talk, &address, (3, MORE), &[], "lo").await?.expect(204)?;
    ensure!(offset(&more)? == 5 && !is_complete(&more)?);
    let done = append(&talk, &address, (5, COMPLETE), &[], "").await?.expect(200)?;
    talk.has_file(&done, b"hello").await
}

async fn another_version_of_the_draft_is_not_spoken(talk: Talk) -> Result<()> {
    for version in ["5", "10", "nine"] {
        let headers = [
            (HeaderName::from_static("upload-draft-interop-version"), version),
            (HeaderName::from_static("upload-complete"), "?0"),
        ];
        let answer = talk.alice().send(Method::POST, "/v1/uploads", &headers, "").await?.expect(412)?;
        ensure!(answer.code() == "tus_version_unsupported");
    }
    Ok(())
}

async fn a_head_says_how_far_and_whether_complete(talk: Talk) -> Result<()> {
    let address = begin(&talk, &[]).await?;
    append(&talk, &address, (0, MORE), &[], "abc").await?.expect(204)?;
    let before = head(&talk, &address).await?;
    ensure!(offset(&before)? == 3 && !is_complete(&before)? && before.headers.get("upload-length").is_none());
    ensure!(header(&before, "upload-limit")?.contains("max-size="));
    append(&talk, &address, (3, MORE), &[("upload-length", "5")], "d").await?.expect(204)?;
    ensure!(header(&head(&talk, &address).await?, "upload-length")? == "5");
    append(&talk, &address, (4, COMPLETE), &[], "e").await?.expect(200)?;
    let after = head(&talk, &address).await?;
    ensure!(offset(&after)? == 5 && is_complete(&after)?);
    talk.has_file(&after, b"abcde").await
}

async fn an_append_needs_its_three_headers(talk: Talk) -> Result<()> {
    let address = begin(&talk, &[]).await?;
    let all = [PIECE, MORE, ("upload-offset", "0")];
    for missing in 0..all.len() {
        let mut headers = all.to_vec();
        headers.remove(missing);
        let answer = say(&talk.anybody(), Method::PATCH, &address, &headers, "x").await?;
        let wanted = if missing == 0 { (415, "not_partial_upload") } else { (400, "invalid_upload_header") };
        ensure!((answer.status.as_u16(), &*answer.code()) == wanted, "without {missing}: {}", answer.status);
    }
    ensure!(offset(&head(&talk, &address).await?)? == 0);
    Ok(())
}

async fn a_mismatching_offset_is_a_problem(talk: Talk) -> Result<()> {
    let address = begin(&talk, &[]).await?;
    append(&talk, &address, (0, MORE), &[], "abc").await?.expect(204)?;
    let answer = append(&talk, &address, (7, MORE), &[], "x").await?.expect(409)?;
    let problem = is_problem(&answer, "mismatching-upload-offset")?;
    ensure!(problem["expected-offset"] == 3 && problem["provided-offset"] == 7 && offset(&answer)? == 3, "{problem}");
    Ok(())
}

async fn inconsistent_lengths_are_a_problem(talk: Talk) -> Result<()> {
    let twice = create(&talk, &[COMPLETE, ("upload-length", "4")], "hello").await?.expect(400)?;
    is_problem(&twice, "inconsistent-upload-length")?;
    let address = begin(&talk, &[("upload-length", "5")]).await?;
    let other = append(&talk, &address, (0, MORE), &[("upload-length", "6")], "x").await?.expect(400)?;
    is_problem(&other, "inconsistent-upload-length")?;
    let beyond = append(&talk, &address, (0, MORE), &[], "hello!").await?.expect(400)?;
    is_problem(&beyond, "inconsistent-upload-length")?;
    ensure!(offset(&head(&talk, &address).await?)? == 0);
    Ok(())
}

async fn what_is_complete_takes_no_more(talk: Talk) -> Result<()> {
    let address = begin(&talk, &[]).await?;
    let done = append(&talk, &address, (0, COMPLETE), &[], "hello").await?.expect(200)?;
    let more = append(&talk, &address, (5, MORE), &[], "!").await?.expect(400)?;
    is_problem(&more, "inconsistent-upload-length")?;
    let nothing = append(&talk, &address, (5, MORE), &[], "").await?.expect(400)?;
    is_problem(&nothing, "completed-upload")?;
    // Its answer may have been lost.
    let again = append(&talk, &address, (5, COMPLETE), &[], "").await?.expect(200)?;
    ensure!(header(&again, "reelgate-file-id")? == header(&done, "reelgate-file-id")?);
    talk.has_file(&again, b"hello").await
}

async fn more_than_may_be_is_refused_with_the_limit(talk: Talk) -> Result<()> {
    let answer = create(&talk, &[MORE, ("upload-length", "99999999999999")], "").await?.expect(413)?;
    ensure!(answer.code() == "file_too_large" && header(&answer, "upload-limit")?.starts_with("max-size="));
    Ok(())
}

async fn an_end_that_comes_early_keeps_what_came(talk: Talk) -> Result<()> {
    let address = begin(&talk, &[("upload-length", "5")]).await?;
    let early = in_chunks(&talk, &address, 0, "hel").await?;
    ensure!(early.starts_with("HTTP/1.1 400") && early.contains("upload_ends_early"), "{early}");
    ensure!(offset(&head(&talk, &address).await?)? == 3);
    let done = append(&talk, &address, (3, COMPLETE), &[], "lo").await?.expect(200)?;
    talk.has_file(&done, b"hello").await
}

async fn a_body_without_a_length_ends_the_upload(talk: Talk) -> Result<()> {
    let address = begin(&talk, &[]).await?;
    let done = in_chunks(&talk, &address, 0, "hello").await?;
    ensure!(done.starts_with("HTTP/1.1 200") && done.contains("\"size_bytes\":5"), "{done}");
    talk.has_file(&head(&talk, &address).await?, b"hello").await
}

/// An append that ends the upload and does not say how long it is.
async fn in_chunks(talk: &Talk, address: &str, at: u64, bytes: &str) -> Result<String> {
    use tokio::io::AsyncReadExt;
    let mut stream = connect(talk, address, at, "transfer-encoding: chunked\r\nconnection: close").await?;
    stream.write_all(format!("{:x}\r\n{bytes}\r\n0\r\n\r\n", bytes.len()).as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

async fn connect(talk: &Talk, address: &str, at: u64, framing: &str) -> Result<TcpStream> {
    let client = talk.anybody();
    let host = client.base().strip_prefix("http://").context("an address")?.trim_end_matches('/').to_owned();
    let mut stream = TcpStream::connect(&host).await?;
    let head = format!(
        "PATCH {address} HTTP/1.1\r\nhost: {host}\r\nupload-draft-interop-version: 9\r\nupload-complete: ?1\r\n\
         upload-offset: {at}\r\ncontent-type: application/partial-upload\r\n{framing}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    Ok(stream)
}

async fn a_wrong_content_digest_leaves_nothing(talk: Talk) -> Result<()> {
    let address = begin(&talk, &[]).await?;
    let digest = |bytes: &str| format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(bytes)));
    let wrong = append(&talk, &address, (0, MORE), &[("content-digest", &digest("hallo"))], "hello").await?;
    ensure!(wrong.expect(460)?.code() == "checksum_mismatch" && offset(&head(&talk, &address).await?)? == 0);
    append(&talk, &address, (0, MORE), &[("content-digest", &digest("hello"))], "hello").await?.expect(204)?;
    ensure!(offset(&head(&talk, &address).await?)? == 5);
    Ok(())
}

async fn a_deleted_upload_is_gone(talk: Talk) -> Result<()> {
    let address = begin(&talk, &[]).await?;
    append(&talk, &address, (0, MORE), &[], "abc").await?.expect(204)?;
    say(&talk.anybody(), Method::DELETE, &address, &[], "").await?.expect(204)?;
    say(&talk.anybody(), Method::HEAD, &address, &[], "").await?.expect(404)?;
    ensure!(append(&talk, &address, (3, MORE), &[], "x").await?.expect(404)?.code() == "upload_not_found");
    Ok(())
}

async fn a_broken_append_loses_nothing_that_arrived(talk: Talk) -> Result<()> {
    let (bytes, sent) = (generated(5, 100_000), 60_000);
    let address = begin(&talk, &[("upload-length", "100000")]).await?;
    let mut stream = connect(&talk, &address, 0, "content-length: 100000").await?;
    stream.write_all(&bytes[..sent]).await?;
    stream.shutdown().await?;
    let mut kept = 0;
    // Which of the two comes first, the end of the connection or the question, is not ours to say.
    for _ in 0..600 {
        kept = offset(&head(&talk, &address).await?)?;
        if kept == sent as u64 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    ensure!(kept == sent as u64, "{kept} of {sent} bytes were kept");
    let done = append(&talk, &address, (sent as u64, COMPLETE), &[], bytes.slice(sent..)).await?.expect(200)?;
    talk.has_file(&done, &bytes).await
}

async fn what_began_in_one_protocol_goes_on_in_the_other(talk: Talk) -> Result<()> {
    let address = talk.begin(&[("upload-length", "10")]).await?;
    talk.patch(&address, 0, &[], "hello").await?.expect(204)?;
    ensure!(offset(&head(&talk, &address).await?)? == 5);
    append(&talk, &address, (5, MORE), &[], "wor").await?.expect(204)?;
    let done = talk.patch(&address, 8, &[], "ld").await?.expect(204)?;
    talk.has_file(&done, b"helloworld").await?;
    ensure!(is_complete(&head(&talk, &address).await?)?);
    Ok(())
}

/// As long as the setting is off nothing but tus is spoken.
async fn is_off_unless_asked_for(footing: Footing) -> Result<()> {
    let site = Site::builder(footing).workers(0).start().await?;
    let talk = Talk::new(&site, "off");
    let headers = [
        (HeaderName::from_static("upload-draft-interop-version"), "9"),
        (HeaderName::from_static("upload-complete"), "?0"),
    ];
    let answer = talk.alice().send(Method::POST, "/v1/uploads", &headers, "").await?.expect(412)?;
    ensure!(answer.code() == "tus_version_unsupported");
    let options = talk.anybody().send(Method::OPTIONS, "/v1/uploads", &[], Bytes::new()).await?;
    ensure!(options.headers.get("accept-patch").is_none());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_of_the_draft_holds_embedded() -> Result<()> {
    super::every_case_holds(Footing::Embedded, CASES).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_of_the_draft_holds_in_production() -> Result<()> {
    super::every_case_holds(Footing::Production, CASES).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_draft_is_off_unless_asked_for() -> Result<()> {
    is_off_unless_asked_for(Footing::Embedded).await
}
