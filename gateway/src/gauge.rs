//! Setting a gauge to a count.

#[expect(clippy::cast_precision_loss, reason = "gauges are floats; counts stay far below 2^53")]
pub(crate) fn set(name: &'static str, value: u64) {
    metrics::gauge!(name).set(value as f64);
}
