//! Forms made to be expensive or confusing (faults.md C35 to C37): each is refused while it is read, or stored as it says.

use std::time::Duration;

use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};

use crate::server::{Server, answer, file, form};

/// Long enough for any machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// What may be sent of an endless body before it must have been refused: the limit, what is in the sockets, and what is thrown away
/// so that the client can read the answer.
const TAKEN: usize = 80 << 20;

/// Sends `piece` again and again until the server takes no more; how much it took, and its answer.
async fn endless(server: &Server, head: &[u8], piece: &[u8]) -> (usize, u16, String) {
    let stream = server.connect("Content-Length: 1100000000").await;
    let (read, mut write) = stream.into_split();
    let sending = async move {
        let mut sent = head.len();
        if write.write_all(head).await.is_err() {
            return (sent, write);
        }
        while sent < 1_000_000_000 && write.write_all(piece).await.is_ok() {
            sent += piece.len();
        }
        (sent, write)
    };
    let reading = async move {
        let mut read = read;
        let mut bytes = Vec::new();
        let _ = tokio::io::AsyncReadExt::read_to_end(&mut read, &mut bytes).await;
        String::from_utf8(bytes).unwrap()
    };
    let ((sent, _write), answer) = timeout(PATIENCE, async { tokio::join!(sending, reading) }).await.unwrap();
    let status = answer.split(' ').nth(1).unwrap_or("0").parse().unwrap();
    let code = answer.split("\"code\":\"").nth(1).unwrap_or_default().split('"').next().unwrap_or_default();
    (sent, status, code.to_owned())
}

async fn large() -> Server {
    // So that nothing but the bomb is refused.
    Server::start_with(|config| config.upload.max_request_bytes = 2_000_000_000).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gigabyte_in_a_text_field_is_refused_at_its_limit() {
    let server = large().await;
    let head = b"--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n";
    let (sent, status, code) = endless(&server, head, &[b'a'; 64 << 10]).await;
    assert_eq!((status, code.as_str()), (413, "fields_too_long"));
    assert!(sent < TAKEN, "{sent}");
    assert_eq!(server.left().await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_fields_are_refused_at_their_limit() {
    let server = large().await;
    let field = b"--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n";
    let (status, body) = server.post(&[field.repeat(100_000), b"--XX--\r\n".to_vec()].concat()).await;
    assert_eq!((status, body["code"].as_str()), (413, Some("too_many_fields")));
    let files: Vec<_> = (0..1_000).map(|_| file("a", b"")).collect();
    let (_, body) = large().await.post(&form(&files)).await;
    assert_eq!(body["files"].as_array().map_or(0, Vec::len), 101, "a hundred, and the one too many");
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_of_a_part_are_short_and_few() {
    let long = format!("--XX\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n", "a".repeat(1 << 20));
    let many = format!("--XX\r\n{}\r\n", "A: b\r\n".repeat(1_000));
    let unended = format!("--XX\r\nA: {}", "b".repeat(1 << 20));
    for bomb in [long, many, unended] {
        let server = large().await;
        let (status, body) = server.post(&[bomb.as_bytes(), b"a\r\n--XX--\r\n"].concat()).await;
        assert_eq!((status, body["code"].as_str()), (400, Some("malformed_form")));
        assert_eq!(server.left().await, (0, 0));
    }
}

/// Bodies that other parsers stumbled over: what they say, or 400.
#[tokio::test(flavor = "multi_thread")]
async fn crooked_forms_are_read_as_they_stand_or_refused() {
    let named = |disposition: &str| format!("--XX\r\nContent-Disposition: {disposition}\r\n\r\nhello\r\n--XX--\r\n");
    let plain = "form-data; name=\"f\"; filename=\"a.txt\"";
    for (form, wanted) in [
        // No final boundary; one that is only its beginning; one of another name; LF alone; a space after it.
        ("--XX\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\nhello\r\n".to_owned(), 400),
        (named(plain).replace("--XX--", "--XX-"), 400),
        (named(plain).replace("--XX", "--YY"), 400),
        (named(plain).replace("\r\n", "\n"), 400),
        (String::new(), 400),
        ("--XX--\r\n".to_owned(), 422),
        ("--XX--".to_owned(), 422),
        // Nothing that makes it a file.
        (named("form-data; name=\"f\""), 422),
        (named("form-data; name=\"f\"; filename=\"\""), 422),
        (named("attachment"), 422),
        ("--XX\r\n\r\nhello\r\n--XX--\r\n".to_owned(), 422),
        // A line without a colon.
        ("--XX\r\nnonsense\r\n\r\nhello\r\n--XX--\r\n".to_owned(), 400),
        // Files, however they are said.
        (named(plain), 200),
        (named("form-data; filename=a.txt; name=f"), 200),
        (named("form-data;name=f;filename*=UTF-8''a%20b.txt"), 200),
        (named("form-data; name=\"f\"; filename=\"a\\\"b;c=d.txt\""), 200),
        (format!("before\r\n{}after", named(plain)), 200),
        (named(plain).replace("hello", "--XX in the middle\r\n--XXY\r\n-\r\n--X"), 200),
        (named(plain).replace("Content-Disposition", "CONTENT-disposition"), 200),
        (named(plain).replace("\r\n\r\nhello", "\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8="), 200),
    ] {
        let server = Server::start().await;
        let (status, body) = timeout(PATIENCE, server.post(form.as_bytes())).await.expect("no form hangs");
        assert_eq!(status, wanted, "{form:?}: {body}");
        let stored = usize::from(wanted == 200);
        assert_eq!(server.left().await, (stored, stored), "{form:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_shown_and_is_no_path() {
    let names = [
        "../../etc/passwd",
        "..\\..\\boot.ini",
        "%2e%2e/%2e%2e/x",
        "a\u{0}b",
        "x%03d.png",
        "-i",
        "concat:a|b",
        "http://169.254.169.254/",
        "\u{202e}4pm.exe",
        "a'b`c$(d)",
        "con",
        ".",
        "..",
        "a\u{7f}b\tc",
    ];
    for name in names.iter().copied().chain([&*"n".repeat(4_096)]) {
        let server = Server::start().await;
        let (status, body) = server.post(&form(&[file(name, b"hello")])).await;
        assert_eq!(status, 200, "{name:?}: {body}");
        let stored = &body["files"][0];
        let (shown, location) = (stored["filename"].as_str().unwrap(), stored["location"].as_str().unwrap());
        assert!(
            !shown.contains(['/', '\\', '\0', '\n', '\r']) && shown.len() <= 1_024,
            "{name:?} is shown as {shown:?}"
        );
        let safe = location.split('/').all(|part| !matches!(part, "" | "." | ".."))
            && location.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte));
        assert!(safe && location.len() < 300, "{name:?} has the location {location:?}");
        let id = stored["id"].as_str().unwrap().to_owned();
        let keys = server.keys();
        assert!(keys.iter().all(|key| key.contains(&id) || key == "deployment"), "{name:?} lies at {keys:?}");
        assert!(server.disposition(&id).await.is_ascii(), "{name:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_sends_nothing_holds_nothing_for_long() {
    let server = Server::start_with(|config| config.http.body_idle_timeout_ms = 300).await;
    let stream: TcpStream = server.connect("Content-Length: 1000").await;
    let (status, body) = timeout(PATIENCE, answer(stream)).await.expect("it is ended");
    assert_eq!((status, body["code"].as_str()), (408, Some("upload_stalled")));
    assert_eq!(server.left().await, (0, 0));
}
