//! The table: what is asked of 300,000 bytes, and what has to come. Named by section of RFC 9110.

/// First and last byte.
pub(super) struct Span(pub(super) usize, pub(super) usize);

pub(super) enum Expect {
    /// 200 with everything; to a HEAD the same head.
    Whole,
    /// 206.
    Part(Span),
    /// 206 as `multipart/byteranges`, in this order.
    Parts(&'static [Span]),
    /// 304.
    NotModified,
    /// 412.
    Failed,
    /// 416.
    Unsatisfiable,
}

pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) method: &'static str,
    /// `{etag}` (with its quotes) and `{modified}` stand for those of what is asked.
    pub(super) headers: &'static [(&'static str, &'static str)],
    pub(super) expect: Expect,
}

const fn get(name: &'static str, headers: &'static [(&'static str, &'static str)], expect: Expect) -> Case {
    Case { name, method: "GET", headers, expect }
}

const fn head(name: &'static str, headers: &'static [(&'static str, &'static str)], expect: Expect) -> Case {
    Case { name, method: "HEAD", headers, expect }
}

/// A GET with nothing but a range.
macro_rules! range {
    ($name:literal, $value:literal, $expect:expr) => {
        get($name, &[("Range", $value)], $expect)
    };
}

use Expect::{Failed, NotModified, Part, Parts, Unsatisfiable, Whole};

const LONG_AGO: &str = "Sat, 29 Oct 1994 19:43:31 GMT";
const FAR_AHEAD: &str = "Sun, 06 Nov 2044 08:49:37 GMT";

#[rustfmt::skip] // A table reads better with a case per line.
pub(super) const CASES: &[Case] = &[
    // 9.3: methods.
    get("9.3.1 GET without conditions", &[], Whole),
    head("9.3.2 HEAD says what GET says", &[], Whole),
    head("14.2 HEAD has no range", &[("Range", "bytes=0-1")], Whole),
    head("14.2 HEAD has no ranges either", &[("Range", "bytes=0-1,9000-9001")], Whole),
    head("14.2 HEAD beyond the end is no 416", &[("Range", "bytes=300000-")], Whole),
    // 14.1: units and forms.
    range!("14.1 the first two bytes", "bytes=0-1", Part(Span(0, 1))),
    range!("14.1 the unit in capitals", "BYTES=0-1", Part(Span(0, 1))),
    range!("14.1 the unit in mixed case", "bYtEs=0-1", Part(Span(0, 1))),
    range!("14.1 another unit is ignored", "items=0-1", Whole),
    range!("14.1 a unit that begins with bytes is another", "bytesx=0-1", Whole),
    range!("14.1 no unit", "=0-1", Whole),
    range!("14.1 no equals sign", "bytes 0-1", Whole),
    range!("14.1.1 nothing after the equals sign", "bytes=", Whole),
    range!("14.1.1 a space before the equals sign", "bytes =0-1", Whole),
    range!("14.1.1 a space after the equals sign", "bytes= 0-1", Part(Span(0, 1))),
    get("5.5 space around the value", &[("Range", " \tbytes=0-1\t ")], Part(Span(0, 1))),
    range!("14.1.2 a single byte", "bytes=7-7", Part(Span(7, 7))),
    range!("14.1.2 the first byte", "bytes=0-0", Part(Span(0, 0))),
    range!("14.1.2 the last byte by its place", "bytes=299999-299999", Part(Span(299_999, 299_999))),
    range!("14.1.2 an open range from 0", "bytes=0-", Part(Span(0, 299_999))),
    range!("14.1.2 an open range from the middle", "bytes=150000-", Part(Span(150_000, 299_999))),
    range!("14.1.2 an open range of one byte", "bytes=299999-", Part(Span(299_999, 299_999))),
    range!("14.1.2 everything by its places", "bytes=0-299999", Part(Span(0, 299_999))),
    range!("14.1.2 the last byte as a suffix", "bytes=-1", Part(Span(299_999, 299_999))),
    range!("14.1.2 a suffix", "bytes=-500", Part(Span(299_500, 299_999))),
    range!("14.1.2 a suffix of exactly everything", "bytes=-300000", Part(Span(0, 299_999))),
    range!("14.1.2 a suffix longer than everything", "bytes=-300001", Part(Span(0, 299_999))),
    range!("14.1.2 a suffix too big for 64 bits", "bytes=-99999999999999999999999", Part(Span(0, 299_999))),
    range!("14.1.2 an end beyond the end", "bytes=299990-300005", Part(Span(299_990, 299_999))),
    range!("14.1.2 an end of 2^63", "bytes=5-9223372036854775808", Part(Span(5, 299_999))),
    range!("14.1.2 an end of 2^64-1", "bytes=5-18446744073709551615", Part(Span(5, 299_999))),
    range!("14.1.2 an end too big for 64 bits", "bytes=5-99999999999999999999999", Part(Span(5, 299_999))),
    range!("14.1.2 leading zeroes", "bytes=0000000000000000000000001-002", Part(Span(1, 2))),
    range!("14.1.2 across the seam of a rewritten head", "bytes=69990-70009", Part(Span(69_990, 70_009))),
    range!("14.1.2 the last byte before a seam", "bytes=69999-69999", Part(Span(69_999, 69_999))),
    range!("14.1.2 the first byte behind a seam", "bytes=70000-70000", Part(Span(70_000, 70_000))),
    range!("14.1.2 across two seams", "bytes=60000-250000", Part(Span(60_000, 250_000))),
    // 14.1.1, 14.2: what cannot be read is ignored.
    range!("14.1.1 the end before the beginning", "bytes=9-5", Whole),
    range!("14.1.1 a lone hyphen", "bytes=-", Whole),
    range!("14.1.1 a number alone", "bytes=5", Whole),
    range!("14.1.1 letters", "bytes=a-b", Whole),
    range!("14.1.1 hexadecimal", "bytes=0x0-0x5", Whole),
    range!("14.1.1 a sign", "bytes=+1-5", Whole),
    range!("14.1.1 a minus too many", "bytes=--5", Whole),
    range!("14.1.1 a fraction", "bytes=0.5-9", Whole),
    range!("14.1.1 space within", "bytes=0 - 5", Whole),
    range!("14.1.1 a semicolon for a comma", "bytes=0-1;5-6", Whole),
    range!("14.1.1 one wrong range spoils the set", "bytes=0-1,9-5", Whole),
    get("14.2 an empty Range", &[("Range", "")], Whole),
    get("14.2 two Range lines", &[("Range", "bytes=0-1"), ("Range", "bytes=5-6")], Whole),
    get("14.2 bytes that are no text", &[("Range", "bytes=\u{e9}-1")], Whole),
    // 15.5.17: 416.
    range!("15.5.17 the first byte behind the end", "bytes=300000-", Unsatisfiable),
    range!("15.5.17 far behind the end", "bytes=400000-400005", Unsatisfiable),
    range!("15.5.17 a beginning of 2^64-1", "bytes=18446744073709551615-", Unsatisfiable),
    range!("15.5.17 a beginning too big for 64 bits", "bytes=99999999999999999999999-", Unsatisfiable),
    range!("15.5.17 a suffix of nothing", "bytes=-0", Unsatisfiable),
    range!("15.5.17 several, none of which is there", "bytes=300000-300001,400000-,-0", Unsatisfiable),
    // 15.3.7.2, 14.6: several ranges.
    range!("15.3.7.2 two ranges", "bytes=0-9,1000-1009", Parts(&[Span(0, 9), Span(1_000, 1_009)])),
    range!("15.3.7.2 first and last byte", "bytes=0-0,-1", Parts(&[Span(0, 0), Span(299_999, 299_999)])),
    range!("15.3.7.2 three forms", "bytes=10-19, 5000-5001, 299000-", Parts(&[Span(10, 19), Span(5_000, 5_001), Span(299_000, 299_999)])),
    range!("15.3.7.2 in the order asked for", "bytes=200000-200009,0-9", Parts(&[Span(200_000, 200_009), Span(0, 9)])),
    range!("15.3.7.2 parts across seams", "bytes=69990-70009,199000-201000", Parts(&[Span(69_990, 70_009), Span(199_000, 201_000)])),
    range!("15.3.7.2 large parts", "bytes=0-99999,150000-299999", Parts(&[Span(0, 99_999), Span(150_000, 299_999)])),
    range!("15.3.7.2 what is not there is left out", "bytes=0-9,400000-,9000-9009", Parts(&[Span(0, 9), Span(9_000, 9_009)])),
    range!("15.3.7.2 one left over is a plain part", "bytes=0-9,400000-", Part(Span(0, 9))),
    range!("15.3.7.2 neighbours become one", "bytes=0-9,10-19", Part(Span(0, 19))),
    range!("15.3.7.2 a small gap is sent along", "bytes=0-9,100-109", Part(Span(0, 109))),
    range!("15.3.7.2 neighbours beside others", "bytes=5000-5009,0-9,10-19", Parts(&[Span(5_000, 5_009), Span(0, 19)])),
    range!("14.1.2 an end beyond the end among several", "bytes=0-9,299000-999999", Parts(&[Span(0, 9), Span(299_000, 299_999)])),
    range!("14.2 two that overlap", "bytes=0-99,50-149", Whole),
    range!("14.2 the same twice", "bytes=0-9,0-9", Whole),
    range!("14.2 one byte within another", "bytes=0-,-1", Whole),
    range!("14.2 sixteen are served", "bytes=0-0,1000-1000,2000-2000,3000-3000,4000-4000,5000-5000,6000-6000,7000-7000,8000-8000,9000-9000,10000-10000,11000-11000,12000-12000,13000-13000,14000-14000,15000-15000",
        Parts(&[Span(0, 0), Span(1_000, 1_000), Span(2_000, 2_000), Span(3_000, 3_000), Span(4_000, 4_000), Span(5_000, 5_000), Span(6_000, 6_000), Span(7_000, 7_000),
            Span(8_000, 8_000), Span(9_000, 9_000), Span(10_000, 10_000), Span(11_000, 11_000), Span(12_000, 12_000), Span(13_000, 13_000), Span(14_000, 14_000), Span(15_000, 15_000)])),
    range!("14.2 seventeen are too many", "bytes=0-0,1000-1000,2000-2000,3000-3000,4000-4000,5000-5000,6000-6000,7000-7000,8000-8000,9000-9000,10000-10000,11000-11000,12000-12000,13000-13000,14000-14000,15000-15000,16000-16000", Whole),
    range!("5.6.1.2 empty elements of a list", "bytes=,,0-9, ,1000-1009,", Parts(&[Span(0, 9), Span(1_000, 1_009)])),
    range!("5.6.1.2 nothing but commas", "bytes=,,,", Whole),
    range!("5.6.3 tabs between ranges", "bytes=0-9\t,\t1000-1009", Parts(&[Span(0, 9), Span(1_000, 1_009)])),
    // 13.1.1: If-Match.
    get("13.1.1 If-Match with the tag", &[("If-Match", "{etag}")], Whole),
    get("13.1.1 If-Match with the tag and a range", &[("If-Match", "{etag}"), ("Range", "bytes=0-1")], Part(Span(0, 1))),
    get("13.1.1 If-Match in a list", &[("If-Match", "\"x\", {etag}")], Whole),
    get("13.1.1 If-Match on two lines", &[("If-Match", "\"x\""), ("If-Match", "{etag}")], Whole),
    get("13.1.1 If-Match with a star", &[("If-Match", "*")], Whole),
    get("13.1.1 If-Match with another tag", &[("If-Match", "\"x\""), ("Range", "bytes=0-1")], Failed),
    get("13.1.1 If-Match compares strongly", &[("If-Match", "W/{etag}")], Failed),
    get("13.1.1 If-Match without quotes", &[("If-Match", "x")], Failed),
    head("13.1.1 If-Match to a HEAD", &[("If-Match", "{etag}")], Whole),
    // 13.1.2: If-None-Match.
    get("13.1.2 If-None-Match with the tag", &[("If-None-Match", "{etag}")], NotModified),
    get("13.1.2 If-None-Match with the tag and a range", &[("If-None-Match", "{etag}"), ("Range", "bytes=0-")], NotModified),
    get("13.1.2 If-None-Match with the tag and a range beyond the end", &[("If-None-Match", "{etag}"), ("Range", "bytes=300000-")], NotModified),
    get("13.1.2 If-None-Match compares weakly", &[("If-None-Match", "W/{etag}")], NotModified),
    get("13.1.2 If-None-Match in a list", &[("If-None-Match", "\"a,b\",W/\"x\" , {etag}")], NotModified),
    get("13.1.2 If-None-Match with a star", &[("If-None-Match", "*")], NotModified),
    get("13.1.2 If-None-Match with another tag and a range", &[("If-None-Match", "\"x\""), ("Range", "bytes=0-1")], Part(Span(0, 1))),
    head("13.1.2 If-None-Match to a HEAD", &[("If-None-Match", "{etag}")], NotModified),
    // 13.1.3, 13.1.4: dates.
    get("13.1.3 If-Modified-Since with the date", &[("If-Modified-Since", "{modified}")], NotModified),
    get("13.1.3 If-Modified-Since with a later date", &[("If-Modified-Since", FAR_AHEAD)], NotModified),
    get("13.1.3 If-Modified-Since with an earlier date", &[("If-Modified-Since", LONG_AGO)], Whole),
    get("13.1.3 If-Modified-Since with no date", &[("If-Modified-Since", "yesterday")], Whole),
    get("13.1.3 two If-Modified-Since", &[("If-Modified-Since", FAR_AHEAD), ("If-Modified-Since", FAR_AHEAD)], Whole),
    get("13.1.4 If-Unmodified-Since with the date", &[("If-Unmodified-Since", "{modified}")], Whole),
    get("13.1.4 If-Unmodified-Since with a later date and a range", &[("If-Unmodified-Since", FAR_AHEAD), ("Range", "bytes=0-1")], Part(Span(0, 1))),
    get("13.1.4 If-Unmodified-Since with an earlier date", &[("If-Unmodified-Since", LONG_AGO)], Failed),
    get("13.1.4 If-Unmodified-Since with no date", &[("If-Unmodified-Since", "yesterday")], Whole),
    head("13.1.4 If-Unmodified-Since to a HEAD", &[("If-Unmodified-Since", LONG_AGO)], Failed),
    get("5.6.7 a date in the format of RFC 850", &[("If-Unmodified-Since", "Saturday, 29-Oct-94 19:43:31 GMT")], Failed),
    get("5.6.7 a date in the format of asctime", &[("If-Unmodified-Since", "Sat Oct 29 19:43:31 1994")], Failed),
    // 13.1.5: If-Range.
    get("13.1.5 If-Range with the tag", &[("If-Range", "{etag}"), ("Range", "bytes=0-1")], Part(Span(0, 1))),
    get("13.1.5 If-Range with the tag and several ranges", &[("If-Range", "{etag}"), ("Range", "bytes=0-1,5000-5001")], Parts(&[Span(0, 1), Span(5_000, 5_001)])),
    get("13.1.5 If-Range with another tag", &[("If-Range", "\"x\""), ("Range", "bytes=0-1")], Whole),
    get("13.1.5 If-Range with another tag and several ranges", &[("If-Range", "\"x\""), ("Range", "bytes=0-1,5000-5001")], Whole),
    get("13.1.5 If-Range with another tag beyond the end", &[("If-Range", "\"x\""), ("Range", "bytes=300000-")], Whole),
    get("13.1.5 If-Range compares strongly", &[("If-Range", "W/{etag}"), ("Range", "bytes=0-1")], Whole),
    get("13.1.5 If-Range takes no list", &[("If-Range", "\"x\", {etag}"), ("Range", "bytes=0-1")], Whole),
    get("13.1.5 If-Range takes no star", &[("If-Range", "*"), ("Range", "bytes=0-1")], Whole),
    get("13.1.5 two If-Range", &[("If-Range", "{etag}"), ("If-Range", "{etag}"), ("Range", "bytes=0-1")], Whole),
    get("13.1.5 If-Range with the date", &[("If-Range", "{modified}"), ("Range", "bytes=0-1")], Part(Span(0, 1))),
    get("13.1.5 If-Range with a later date", &[("If-Range", FAR_AHEAD), ("Range", "bytes=0-1")], Whole),
    get("13.1.5 If-Range with an earlier date", &[("If-Range", LONG_AGO), ("Range", "bytes=0-1")], Whole),
    get("13.1.5 If-Range without a range means nothing", &[("If-Range", "\"x\"")], Whole),
    head("13.1.5 If-Range to a HEAD means nothing", &[("If-Range", "{etag}"), ("Range", "bytes=0-1")], Whole),
    // 13.2.2: precedence.
    get("13.2.2 If-Match wins over If-Unmodified-Since", &[("If-Match", "{etag}"), ("If-Unmodified-Since", LONG_AGO)], Whole),
    get("13.2.2 If-Match that fails wins over If-Unmodified-Since", &[("If-Match", "\"x\""), ("If-Unmodified-Since", FAR_AHEAD)], Failed),
    get("13.2.2 If-None-Match wins over If-Modified-Since", &[("If-None-Match", "\"x\""), ("If-Modified-Since", FAR_AHEAD)], Whole),
    get("13.2.2 If-None-Match that holds wins over If-Modified-Since", &[("If-None-Match", "{etag}"), ("If-Modified-Since", LONG_AGO)], NotModified),
    get("13.2.2 412 before 304", &[("If-Match", "\"x\""), ("If-None-Match", "{etag}")], Failed),
    get("13.2.2 412 by date before 304", &[("If-Unmodified-Since", LONG_AGO), ("If-None-Match", "{etag}")], Failed),
    get("13.2.2 412 before 416", &[("If-Match", "\"x\""), ("Range", "bytes=300000-")], Failed),
    get("13.2.2 both hold, then the range counts", &[("If-Match", "{etag}"), ("If-None-Match", "\"x\""), ("If-Range", "{etag}"), ("Range", "bytes=-2")], Part(Span(299_998, 299_999))),
];
