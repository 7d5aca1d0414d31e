//! A strict reader of `multipart/byteranges` (RFC 9110 section 14.6, RFC 2046 section 5.1.1).

use super::wire::Answer;

pub(super) struct Part {
    pub(super) content_type: String,
    pub(super) content_range: String,
    pub(super) body: Vec<u8>,
}

/// Cuts the body by what the parts say about their lengths, so that media which looks like a boundary does no harm.
pub(super) fn split(answer: &Answer) -> Vec<Part> {
    let kind = answer.header("content-type").unwrap();
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").expect("a multipart type");
    assert!((16..=70).contains(&boundary.len()) && boundary.is_ascii(), "{boundary}");
    let mut rest = &answer.body[..];
    let mut parts = Vec::new();
    loop {
        rest = rest.strip_prefix(format!("\r\n--{boundary}").as_bytes()).expect("a delimiter");
        if let Some(end) = rest.strip_prefix(b"--") {
            assert_eq!(end, b"\r\n", "nothing follows the last part");
            return parts;
        }
        let head_end = rest.windows(4).position(|window| window == b"\r\n\r\n").expect("a head") + 4;
        let head = std::str::from_utf8(&rest[..head_end]).unwrap();
        let value = |name: &str| {
            let line = head.split("\r\n").find_map(|line| line.strip_prefix(name)).expect("the header of a part");
            line.to_owned()
        };
        let content_range = value("Content-Range: ");
        let length = length(&content_range);
        parts.push(Part {
            content_type: value("Content-Type: "),
            content_range,
            body: rest[head_end..head_end + length].to_vec(),
        });
        rest = &rest[head_end + length..];
    }
}

fn length(content_range: &str) -> usize {
    let (range, _) = content_range.strip_prefix("bytes ").unwrap().split_once('/').unwrap();
    let (first, last) = range.split_once('-').unwrap();
    last.parse::<usize>().unwrap() - first.parse::<usize>().unwrap() + 1
}
