//! Whether a client takes gzip (RFC 9110, 12.5.3). Pure.

use http::{HeaderMap, header::ACCEPT_ENCODING};

/// By its name or by `*`, unless its weight is 0. Who says nothing gets it as it is: curl and scripts say nothing.
#[must_use]
pub(super) fn takes_gzip(asked: &HeaderMap) -> bool {
    let values = asked.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let choices: Vec<(&str, bool)> = values.flat_map(|value| value.split(',')).map(choice).collect();
    let said =
        |name: &str| choices.iter().find(|(coding, _)| coding.eq_ignore_ascii_case(name)).map(|(_, taken)| *taken);
    said("gzip").or_else(|| said("x-gzip")).or_else(|| said("*")).unwrap_or(false)
}

/// A coding, and whether its weight is above 0.
fn choice(text: &str) -> (&str, bool) {
    let (coding, weight) = text.split_once(';').unwrap_or((text, "q=1"));
    let weight = weight.trim().strip_prefix("q=").and_then(|weight| weight.trim().parse::<f32>().ok());
    (coding.trim(), weight.is_none_or(|weight| weight > 0.0))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn rfc9110_12_5_3_weights_and_stars_count() {
        for (text, taken) in [
            ("gzip, deflate, br", true),
            ("br;q=1.0, GZIP;q=0.5", true),
            ("*", true),
            ("x-gzip", true),
            ("gzip;q=0", false),
            ("gzip;q=0.000, *", false),
            ("br", false),
            ("identity", false),
            ("", false),
        ] {
            let asked = [(ACCEPT_ENCODING, HeaderValue::from_static(text))].into_iter().collect();
            assert_eq!(takes_gzip(&asked), taken, "{text}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
