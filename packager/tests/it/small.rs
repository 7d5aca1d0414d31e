//! The smallest `moov` that has everything: one H.264 track of two chunks with reordered frames and an edit.

fn boxed(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let size = u32::try_from(body.len() + 8).unwrap();
    [&size.to_be_bytes()[..], kind, &body].concat()
}

fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

const IDENTITY: [u32; 9] = [1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30];

/// A movie of two samples per chunk, 25 frames a second.
pub(crate) fn moov(chunk_offsets: &[u32]) -> Vec<u8> {
    let chunks = u32::try_from(chunk_offsets.len()).unwrap();
    let samples = 2 * chunks;
    let matrix = words(&IDENTITY);
    let mvhd = boxed(b"mvhd", &[&words(&[0, 0, 0, 1000, 40 * samples, 1 << 16, 0, 0, 0]), &matrix, &[0; 28]]);
    let tkhd = boxed(b"tkhd", &[&words(&[1, 0, 0, 1, 0, 40 * samples, 0, 0, 0, 0]), &matrix, &words(&[64 << 16; 2])]);
    let elst = boxed(b"elst", &[&words(&[0, 1, 40 * samples, 1, 1 << 16])]);
    let edts = boxed(b"edts", &[&elst]);
    let mdhd = boxed(b"mdhd", &[&words(&[0, 0, 0, 25, samples, 0x55c4_0000])]);
    let hdlr = boxed(b"hdlr", &[&words(&[0, 0]), b"vide", &[0; 13]]);
    let dref = boxed(b"dref", &[&words(&[0, 1]), &boxed(b"url ", &[&words(&[1])])]);
    let sps = [0x67, 0x42, 0xc0, 0x0a, 0xda, 0x12, 0x10, 0xc8];
    let avcc = boxed(b"avcC", &[&[1, 0x42, 0xc0, 0x0a, 0xff, 0xe1, 0, 8], &sps, &[0]]);
    let avc1 = boxed(b"avc1", &[&[0, 0, 0, 0, 0, 0, 0, 1], &[0; 16], &[0, 64, 0, 64], &[0; 50], &avcc]);
    let stbl = boxed(
        b"stbl",
        &[
            &boxed(b"stsd", &[&words(&[0, 1]), &avc1]),
            &boxed(b"stts", &[&words(&[0, 1, samples, 1])]),
            &boxed(b"ctts", &[&words(&[0, 1, samples, 1])]),
            &boxed(b"stss", &[&words(&[0, 1, 1])]),
            &boxed(b"stsz", &[&words(&[0, 10, samples])]),
            &boxed(b"stsc", &[&words(&[0, 1, 1, 2, 1])]),
            &boxed(b"stco", &[&words(&[0, chunks]), &words(chunk_offsets)]),
        ],
    );
    let minf = boxed(b"minf", &[&boxed(b"dinf", &[&dref]), &stbl]);
    let mdia = boxed(b"mdia", &[&mdhd, &hdlr, &minf]);
    boxed(b"moov", &[&mvhd, &boxed(b"trak", &[&tkhd, &edts, &mdia])])
}
