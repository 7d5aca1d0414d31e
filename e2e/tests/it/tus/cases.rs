//! The cases. Each is a conversation, and named by what it shows.

use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderName, Method};
use reelgate_e2e::generated::generated;
use sha2::{Digest, Sha256};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    Case,
    talk::{Headers, Talk, address, header, metadata, offset},
};

super::listed![
    options_say_what_is_spoken,
    another_version_is_refused,
    creation_needs_a_length_or_its_deferral,
    creation_needs_a_caller,
    an_upload_of_no_bytes_is_whole_at_once,
    an_upload_in_pieces_is_the_file,
    large_pieces_cross_the_bounds_of_parts,
    a_wrong_offset_is_a_conflict,
    another_content_type_is_refused,
    more_than_the_length_is_refused,
    metadata_is_kept_and_named,
    creation_with_upload,
    a_deferred_length_is_said_later,
    the_time_of_expiry_is_said,
    checksums_are_verified,
    a_piece_with_a_wrong_checksum_leaves_nothing,
    termination_leaves_nothing,
    pieces_are_put_together,
    what_is_put_together_twice_is_one_file,
    pieces_that_are_not_whole_are_refused,
    a_secret_that_is_none_is_not_found,
    a_method_can_be_meant,
    pages_of_other_origins_may_upload,
    a_connection_that_breaks_loses_nothing_that_arrived,
    who_goes_on_takes_over_from_a_connection_that_hangs,
    a_deleted_file_takes_no_more,
    a_repeated_last_piece_is_no_second_file,
];

/// Of a part and a tail.
const LARGE: usize = (5 << 20) + 70_001;

async fn options_say_what_is_spoken(talk: Talk) -> Result<()> {
    let answer = talk.anybody().send(Method::OPTIONS, "/v1/uploads", &[], Bytes::new()).await?.expect(204)?;
    ensure!(header(&answer, "tus-version")? == "1.0.0" && header(&answer, "tus-resumable")? == "1.0.0");
    let extensions = header(&answer, "tus-extension")?;
    for extension in [
        "creation",
        "creation-with-upload",
        "creation-defer-length",
        "expiration",
        "checksum",
        "termination",
        "concatenation",
    ] {
        ensure!(extensions.split(',').any(|listed| listed == extension), "{extensions}");
    }
    ensure!(header(&answer, "tus-checksum-algorithm")? == "sha256,sha1,crc32c");
    ensure!(header(&answer, "tus-max-size")?.parse::<u64>()? > 0);
    Ok(())
}

async fn another_version_is_refused(talk: Talk) -> Result<()> {
    for version in ["0.2.2", "2.0.0", ""] {
        let headers =
            [(HeaderName::from_static("tus-resumable"), version), (HeaderName::from_static("upload-length"), "1")];
        let answer = talk.alice().send(Method::POST, "/v1/uploads", &headers, Bytes::new()).await?.expect(412)?;
        ensure!(header(&answer, "tus-version")? == "1.0.0" && answer.code() == "tus_version_unsupported");
    }
    let none = [(HeaderName::from_static("upload-length"), "1")];
    talk.alice().send(Method::POST, "/v1/uploads", &none, Bytes::new()).await?.expect(412)?;
    Ok(())
}

async fn creation_needs_a_length_or_its_deferral(talk: Talk) -> Result<()> {
    let wrong: [&Headers<'_>; 5] = [
        &[],
        &[("upload-length", "-1")],
        &[("upload-length", "x")],
        &[("upload-defer-length", "2")],
        &[("upload-length", "1"), ("upload-defer-length", "1")],
    ];
    for headers in wrong {
        let answer = talk.create(headers, Bytes::new()).await?.expect(400)?;
        ensure!(answer.code() == "invalid_upload_header", "{headers:?}: {}", answer.code());
    }
    let huge = talk.create(&[("upload-length", "9223372036854775807")], Bytes::new()).await?.expect(413)?;
    ensure!(huge.code() == "file_too_large");
    Ok(())
}

async fn creation_needs_a_caller(talk: Talk) -> Result<()> {
    let headers = [("upload-length", "1")];
    let answer = talk.say(&talk.anybody(), Method::POST, "/v1/uploads", &headers, Bytes::new()).await?.expect(401)?;
    ensure!(answer.code() == "not_signed_in");
    Ok(())
}

async fn an_upload_of_no_bytes_is_whole_at_once(talk: Talk) -> Result<()> {
    let created = talk.create(&[("upload-length", "0")], Bytes::new()).await?.expect(201)?;
    ensure!(talk.offset(&address(&created)?).await? == 0);
    talk.has_file(&created, b"").await
}

async fn an_upload_in_pieces_is_the_file(talk: Talk) -> Result<()> {
    let bytes = generated(1, 300_000);
    let address = talk.begin(&[("upload-length", "300000")]).await?;
    ensure!(talk.offset(&address).await? == 0);
    let mut at = 0;
    for size in [1, 99_999, 150_000, 0, 50_000] {
        let answer = talk.patch(&address, at as u64, &[], bytes.slice(at..at + size)).await?.expect(204)?;
        at += size;
        ensure!(offset(&answer)? == at as u64);
        let head = talk.head(&address).await?.expect(200)?;
        ensure!(offset(&head)? == at as u64 && header(&head, "upload-length")? == "300000");
        ensure!(header(&head, "cache-control")? == "no-store");
    }
    let head = talk.head(&address).await?;
    ensure!(header(&head, "repr-digest")?.starts_with("sha-256=:"));
    talk.has_file(&head, &bytes).await
}

async fn large_pieces_cross_the_bounds_of_parts(talk: Talk) -> Result<()> {
    let bytes = generated(2, 2 * LARGE);
    let length = bytes.len().to_string();
    let address = talk.begin(&[("upload-length", &length)]).await?;
    let mut at = 0;
    for size in [100, LARGE, 7, 2 * LARGE - LARGE - 107] {
        let answer = talk.patch(&address, at as u64, &[], bytes.slice(at..at + size)).await?.expect(204)?;
        at += size;
        ensure!(offset(&answer)? == at as u64);
    }
    talk.has_file(&talk.head(&address).await?, &bytes).await
}

async fn a_wrong_offset_is_a_conflict(talk: Talk) -> Result<()> {
    let address = talk.begin(&[("upload-length", "10")]).await?;
    talk.patch(&address, 0, &[], "abc").await?.expect(204)?;
    for wrong in [0, 2, 4, 10] {
        let answer = talk.patch(&address, wrong, &[], "x").await?.expect(409)?;
        ensure!(answer.code() == "upload_offset_mismatch" && offset(&answer)? == 3);
    }
    ensure!(talk.offset(&address).await? == 3);
    Ok(())
}

async fn another_content_type_is_refused(talk: Talk) -> Result<()> {
    let address = talk.begin(&[("upload-length", "10")]).await?;
    let headers = [("content-type", "text/plain"), ("upload-offset", "0")];
    let answer = talk.say(&talk.anybody(), Method::PATCH, &address, &headers, "abc").await?.expect(415)?;
    ensure!(answer.code() == "not_offset_stream" && talk.offset(&address).await? == 0);
    let none = [("content-type", "application/offset+octet-stream")];
    talk.say(&talk.anybody(), Method::PATCH, &address, &none, "abc").await?.expect(400)?;
    Ok(())
}

async fn more_than_the_length_is_refused(talk: Talk) -> Result<()> {
    let address = talk.begin(&[("upload-length", "3")]).await?;
    let answer = talk.patch(&address, 0, &[], "abcd").await?.expect(413)?;
    ensure!(answer.code() == "upload_exceeds_length" && talk.offset(&address).await? == 0);
    talk.patch(&address, 0, &[], "abc").await?.expect(204)?;
    Ok(())
}

async fn metadata_is_kept_and_named(talk: Talk) -> Result<()> {
    let said = format!("{},{},empty", metadata("filename", "../caf\u{e9}.txt"), metadata("filetype", "text/plain"));
    let created =
        talk.create(&[("upload-length", "1"), ("upload-metadata", &said)], Bytes::new()).await?.expect(201)?;
    let head = talk.head(&address(&created)?).await?;
    ensure!(header(&head, "upload-metadata")? == said);
    let info = talk.alice().info(&header(&created, "reelgate-file-id")?).await?;
    ensure!(info["filename"] == "caf\u{e9}.txt" && info["state"] == "uploading" && info["size_bytes"] == 1, "{info}");
    let wrong = talk.create(&[("upload-length", "1"), ("upload-metadata", "filename !")], Bytes::new()).await?;
    ensure!(wrong.expect(400)?.code() == "invalid_upload_header");
    Ok(())
}

async fn creation_with_upload(talk: Talk) -> Result<()> {
    let stream = ("content-type", "application/offset+octet-stream");
    let whole = talk.create(&[("upload-length", "5"), stream], "hello").await?.expect(201)?;
    ensure!(
        offset(&whole)? == 5
            && header(&whole, "repr-digest")? == "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:"
    );
    talk.has_file(&whole, b"hello").await?;
    let begun = talk.create(&[("upload-length", "5"), stream], "hel").await?.expect(201)?;
    ensure!(offset(&begun)? == 3);
    talk.patch(&address(&begun)?, 3, &[], "lo").await?.expect(204)?;
    talk.has_file(&begun, b"hello").await?;
    talk.create(&[("upload-length", "5"), stream], "hello!").await?.expect(413)?;
    Ok(())
}

async fn a_deferred_length_is_said_later(talk: Talk) -> Result<()> {
    let address = talk.begin(&[("upload-defer-length", "1")]).await?;
    let head = talk.head(&address).await?;
    ensure!(header(&head, "upload-defer-length")? == "1" && !head.headers.contains_key("upload-length"));
    talk.patch(&address, 0, &[], "hel").await?.expect(204)?;
    talk.patch(&address, 3, &[("upload-length", "2")], "lo").await?.expect(400)?;
    talk.patch(&address, 3, &[("upload-length", "5")], "l").await?.expect(204)?;
    talk.patch(&address, 4, &[("upload-length", "6")], "o").await?.expect(400)?;
    let head = talk.head(&address).await?;
    ensure!(header(&head, "upload-length")? == "5" && !head.headers.contains_key("upload-defer-length"));
    let last = talk.patch(&address, 4, &[], "o").await?.expect(204)?;
    talk.has_file(&last, b"hello").await
}

async fn the_time_of_expiry_is_said(talk: Talk) -> Result<()> {
    let created = talk.create(&[("upload-length", "2")], Bytes::new()).await?.expect(201)?;
    let address = address(&created)?;
    let piece = talk.patch(&address, 0, &[], "a").await?.expect(204)?;
    for answer in [created, piece, talk.head(&address).await?] {
        let until = httpdate::parse_http_date(&header(&answer, "upload-expires")?)?;
        ensure!(until > std::time::SystemTime::now());
    }
    Ok(())
}

async fn checksums_are_verified(talk: Talk) -> Result<()> {
    let sums =
        ["sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00=", "sha256 LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=", "crc32c mnG7TA=="];
    for sum in sums {
        let address = talk.begin(&[("upload-length", "5")]).await?;
        talk.patch(&address, 0, &[("upload-checksum", sum)], "hellO").await?.expect(460)?;
        ensure!(talk.offset(&address).await? == 0, "{sum}");
        let last = talk.patch(&address, 0, &[("upload-checksum", sum)], "hello").await?.expect(204)?;
        talk.has_file(&last, b"hello").await?;
    }
    let address = talk.begin(&[("upload-length", "5")]).await?;
    for (sum, code) in [("md5 AAAA", "checksum_unsupported"), ("sha1 AAAA", "invalid_upload_header")] {
        let answer = talk.patch(&address, 0, &[("upload-checksum", sum)], "hello").await?.expect(400)?;
        ensure!(answer.code() == code, "{sum}: {}", answer.code());
    }
    Ok(())
}

async fn a_piece_with_a_wrong_checksum_leaves_nothing(talk: Talk) -> Result<()> {
    let bytes = generated(3, 2 * LARGE);
    let length = bytes.len().to_string();
    let address = talk.begin(&[("upload-length", &length)]).await?;
    talk.patch(&address, 0, &[], bytes.slice(..100)).await?.expect(204)?;
    let right = format!("sha256 {}", STANDARD.encode(Sha256::digest(&bytes[100..])));
    let wrong = generated(4, 2 * LARGE - 100);
    let answer = talk.patch(&address, 100, &[("upload-checksum", &right)], wrong).await?.expect(460)?;
    ensure!(answer.code() == "checksum_mismatch" && talk.offset(&address).await? == 100);
    let last = talk.patch(&address, 100, &[("upload-checksum", &right)], bytes.slice(100..)).await?.expect(204)?;
    talk.has_file(&last, &bytes).await
}

async fn termination_leaves_nothing(talk: Talk) -> Result<()> {
    let length = (2 * LARGE).to_string();
    let created = talk.create(&[("upload-length", &length)], Bytes::new()).await?.expect(201)?;
    let address = address(&created)?;
    talk.patch(&address, 0, &[], generated(5, LARGE)).await?.expect(204)?;
    talk.delete(&address).await?.expect(204)?;
    for gone in [talk.head(&address).await?, talk.patch(&address, 0, &[], "x").await?, talk.delete(&address).await?] {
        ensure!(gone.status == 404, "{}", gone.status);
    }
    let file = header(&created, "reelgate-file-id")?;
    ensure!(talk.alice().get(&format!("/v1/files/{file}/info")).await?.status == 404);
    Ok(())
}

/// Addresses of partial uploads of these bytes.
async fn partials(talk: &Talk, pieces: &[Bytes]) -> Result<Vec<String>> {
    let mut addresses = Vec::new();
    for piece in pieces {
        let length = piece.len().to_string();
        let created = talk.create(&[("upload-length", &length), ("upload-concat", "partial")], Bytes::new()).await?;
        ensure!(!created.headers.contains_key("reelgate-file-id"), "a piece is no file");
        let address = address(&created.expect(201)?)?;
        talk.patch(&address, 0, &[], piece.clone()).await?.expect(204)?;
        ensure!(header(&talk.head(&address).await?, "upload-concat")? == "partial");
        addresses.push(address);
    }
    Ok(addresses)
}

async fn pieces_are_put_together(talk: Talk) -> Result<()> {
    let pieces = [generated(6, LARGE), generated(7, 10), generated(8, LARGE)];
    let addresses = partials(&talk, &pieces).await?;
    let list = format!("final;{}", addresses.join(" "));
    let name = metadata("filename", "whole.bin");
    let made = talk.create(&[("upload-concat", &list), ("upload-metadata", &name)], Bytes::new()).await?.expect(201)?;
    let all = pieces.concat();
    talk.has_file(&made, &all).await?;
    let address = address(&made)?;
    let head = talk.head(&address).await?.expect(200)?;
    ensure!(header(&head, "upload-concat")?.starts_with("final;") && offset(&head)? == all.len() as u64);
    ensure!(header(&head, "upload-length")? == all.len().to_string());
    let refused = talk.patch(&address, all.len() as u64, &[], "x").await?.expect(403)?;
    ensure!(refused.code() == "upload_is_final");
    let info = talk.alice().info(&header(&made, "reelgate-file-id")?).await?;
    ensure!(info["filename"] == "whole.bin", "{info}");
    Ok(())
}

async fn what_is_put_together_twice_is_one_file(talk: Talk) -> Result<()> {
    let addresses = partials(&talk, &[Bytes::from_static(b"hel"), Bytes::from_static(b"lo")]).await?;
    let list = format!("final;{}", addresses.join(" "));
    let mut made = Vec::new();
    let concat = [("upload-concat", list.as_str())];
    let ask = || talk.create(&concat, Bytes::new());
    let (first, second) = tokio::join!(ask(), ask());
    for answer in [first?, second?, ask().await?] {
        let answer = answer.expect(201)?;
        made.push((address(&answer)?, header(&answer, "reelgate-file-id")?));
        talk.has_file(&answer, b"hello").await?;
    }
    ensure!(made[0] == made[1] && made[1] == made[2]);
    let turned = format!("final;{} {}", addresses[1], addresses[0]);
    ensure!(
        talk.create(&[("upload-concat", &turned)], Bytes::new()).await?.expect(400)?.code() == "upload_pieces_invalid"
    );
    Ok(())
}

async fn pieces_that_are_not_whole_are_refused(talk: Talk) -> Result<()> {
    let begun = talk.begin(&[("upload-length", "5"), ("upload-concat", "partial")]).await?;
    let file = talk.begin(&[("upload-length", "5")]).await?;
    talk.patch(&file, 0, &[], "hello").await?.expect(204)?;
    for address in [begun.as_str(), file.as_str(), "/v1/uploads/AAAAAAAAAAAAAAAAAAAAAA"] {
        let list = format!("final;{address}");
        let refused = talk.create(&[("upload-concat", &list)], Bytes::new()).await?.expect(400)?;
        ensure!(refused.code() == "upload_pieces_invalid", "{address}: {}", refused.code());
    }
    talk.create(&[("upload-concat", "final;/x")], Bytes::new()).await?.expect(400)?;
    Ok(())
}

async fn a_secret_that_is_none_is_not_found(talk: Talk) -> Result<()> {
    for secret in ["AAAAAAAAAAAAAAAAAAAAAA", "x", "018f4b1e-0000-7000-8000-000000000001"] {
        let path = format!("/v1/uploads/{secret}");
        for answer in [talk.head(&path).await?, talk.patch(&path, 0, &[], "x").await?, talk.delete(&path).await?] {
            ensure!(answer.status == 404, "{secret}: {}", answer.status);
        }
    }
    Ok(())
}

async fn a_method_can_be_meant(talk: Talk) -> Result<()> {
    let address = talk.begin(&[("upload-length", "5")]).await?;
    let headers = [
        ("x-http-method-override", "PATCH"),
        ("content-type", "application/offset+octet-stream"),
        ("upload-offset", "0"),
    ];
    talk.say(&talk.anybody(), Method::POST, &address, &headers, "hello").await?.expect(204)?;
    ensure!(talk.offset(&address).await? == 5);
    Ok(())
}

async fn pages_of_other_origins_may_upload(talk: Talk) -> Result<()> {
    let headers = [(http::header::ORIGIN, "https://a.example"), (http::header::ACCESS_CONTROL_REQUEST_METHOD, "PATCH")];
    let path = "/v1/uploads/AAAAAAAAAAAAAAAAAAAAAA";
    let answer = talk.anybody().send(Method::OPTIONS, path, &headers, Bytes::new()).await?.expect(204)?;
    ensure!(header(&answer, "access-control-allow-methods")?.contains("PATCH"));
    let allowed = header(&answer, "access-control-allow-headers")?;
    for name in ["Tus-Resumable", "Upload-Offset", "Upload-Checksum", "Reelgate-Upload-Token", "Upload-Metadata"] {
        ensure!(allowed.contains(name), "{allowed}");
    }
    let exposed = header(&answer, "access-control-expose-headers")?;
    for name in ["Location", "Upload-Offset", "Upload-Length", "Upload-Expires", "Reelgate-File-Id", "Tus-Resumable"] {
        ensure!(exposed.contains(name), "{exposed}");
    }
    Ok(())
}

/// A `PATCH` of which some bytes have gone, on a connection of its own.
async fn half_sent(talk: &Talk, address: &str, length: usize, sent: &[u8]) -> Result<TcpStream> {
    let gateway = talk.anybody();
    let host = gateway.base().strip_prefix("http://").context("an address")?.to_owned();
    let mut stream = TcpStream::connect(&host).await?;
    let head = format!(
        "PATCH {address} HTTP/1.1\r\nHost: {host}\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n\
         Content-Type: application/offset+octet-stream\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(sent).await?;
    Ok(stream)
}

async fn a_connection_that_breaks_loses_nothing_that_arrived(talk: Talk) -> Result<()> {
    let bytes = generated(9, 2 * LARGE);
    let length = bytes.len().to_string();
    let address = talk.begin(&[("upload-length", &length)]).await?;
    drop(half_sent(&talk, &address, bytes.len(), &bytes[..LARGE]).await?);
    let mut kept = 0;
    // Which of the two comes first, the end of the connection or the question, is not ours to say.
    for _ in 0..600 {
        kept = usize::try_from(talk.offset(&address).await?)?;
        if kept == LARGE {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    ensure!(kept == LARGE, "{kept} of {LARGE} bytes were kept");
    let last = talk.patch(&address, kept as u64, &[], bytes.slice(kept..)).await?.expect(204)?;
    talk.has_file(&last, &bytes).await
}

async fn who_goes_on_takes_over_from_a_connection_that_hangs(talk: Talk) -> Result<()> {
    let bytes = generated(10, 2 * LARGE);
    let length = bytes.len().to_string();
    let address = talk.begin(&[("upload-length", &length)]).await?;
    let mut hanging = half_sent(&talk, &address, bytes.len(), &bytes[..LARGE]).await?;
    let mut kept = 0;
    while kept < LARGE {
        kept = usize::try_from(talk.offset(&address).await?)?;
        if kept < LARGE {
            // It was taken over before all had arrived: what is missing is sent as anybody would.
            talk.patch(&address, kept as u64, &[], bytes.slice(kept..LARGE)).await?.expect(204)?;
        }
    }
    let mut answer = Vec::new();
    hanging.read_to_end(&mut answer).await?;
    ensure!(String::from_utf8_lossy(&answer).contains("upload_taken_over"), "{}", String::from_utf8_lossy(&answer));
    let last = talk.patch(&address, kept as u64, &[], bytes.slice(kept..)).await?.expect(204)?;
    talk.has_file(&last, &bytes).await
}

async fn a_deleted_file_takes_no_more(talk: Talk) -> Result<()> {
    let created = talk.create(&[("upload-length", "5")], Bytes::new()).await?.expect(201)?;
    let address = address(&created)?;
    talk.patch(&address, 0, &[], "hel").await?.expect(204)?;
    let file = header(&created, "reelgate-file-id")?;
    talk.alice().delete(&format!("/v1/files/{file}")).await?.expect(200)?;
    ensure!(talk.patch(&address, 3, &[], "lo").await?.status == 404);
    Ok(())
}

async fn a_repeated_last_piece_is_no_second_file(talk: Talk) -> Result<()> {
    let address = talk.begin(&[("upload-length", "5")]).await?;
    talk.patch(&address, 0, &[], "hello").await?.expect(204)?;
    // As a client does whose answer was lost.
    ensure!(talk.patch(&address, 0, &[], "hello").await?.status == 409);
    ensure!(talk.offset(&address).await? == 5);
    talk.patch(&address, 5, &[], "").await?.expect(204)?;
    let files = talk.alice().get("/v1/files").await?.expect(200)?.json()?;
    ensure!(files["files"].as_array().is_some_and(|files| files.len() == 1), "{files}");
    Ok(())
}
