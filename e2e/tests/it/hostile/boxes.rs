//! Rewriting boxes of an MP4, sizes and all, so that one lie stands in an otherwise sound file.

/// Payloads of the boxes on `path` (`["moov", "trak", …]`) go through `change`; enclosing sizes follow.
pub(super) fn rewrite(bytes: &[u8], path: &[&str], change: &dyn Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let (wanted, rest) = path.split_first().unwrap();
    let mut out = Vec::new();
    for (kind, payload) in children(bytes) {
        let payload = match (kind == wanted.as_bytes(), rest.is_empty()) {
            (false, _) => payload.to_vec(),
            (true, true) => change(payload),
            (true, false) => rewrite(payload, rest, change),
        };
        out.extend(boxed(kind, &payload));
    }
    out
}

pub(super) fn boxed(kind: &[u8], payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(payload.len() + 8).unwrap();
    [&size.to_be_bytes()[..], kind, payload].concat()
}

/// Kind and payload of each box; 32-bit sizes only, which is all that short clips have.
pub(super) fn children(bytes: &[u8]) -> Vec<(&[u8], &[u8])> {
    let (mut at, mut found) = (0, Vec::new());
    while at + 8 <= bytes.len() {
        let size = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        found.push((&bytes[at + 4..at + 8], &bytes[at + 8..at + size]));
        at += size;
    }
    found
}

/// Where a box begins or its payload does, on every level that is made of boxes.
pub(super) fn borders(bytes: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    collect(bytes, 0, &mut found);
    found
}

fn collect(bytes: &[u8], offset: usize, found: &mut Vec<usize>) {
    let mut at = offset;
    for (kind, payload) in children(bytes) {
        found.extend([at, at + 8]);
        if [&b"moov"[..], b"trak", b"mdia", b"minf", b"dinf", b"stbl", b"edts", b"udta"].contains(&kind) {
            collect(payload, at + 8, found);
        }
        at += payload.len() + 8;
    }
}
