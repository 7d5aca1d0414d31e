//! The display matrix: how a picture is turned, mirrored and stretched before it is shown.

/// Entries `[a b u; c d v; x y w]` as the file has them: 16.16, and 2.30 in the last column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Matrix(pub [i32; 9]);

/// A matrix that is made of quarter turns and a mirror only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Orientation {
    /// Clockwise degrees the picture is turned for display: 0, 90, 180 or 270.
    pub rotation: u16,
    /// Whether it is flipped left to right before it is turned.
    pub mirrored: bool,
}

impl Default for Matrix {
    fn default() -> Self {
        Self([1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30])
    }
}

impl Matrix {
    /// First `self`, then `outer`; only the part that turns and stretches is kept.
    #[must_use]
    pub fn then(self, outer: Self) -> Self {
        let [a, b, _, c, d, ..] = self.0.map(i64::from);
        let [e, f, _, g, h, ..] = outer.0.map(i64::from);
        let cell = |n: i64| i32::try_from(n >> 16).unwrap_or(i32::MAX);
        let mul = |p: i64, q: i64, r: i64, s: i64| cell(p.saturating_mul(q).saturating_add(r.saturating_mul(s)));
        Self([mul(a, e, b, g), mul(a, f, b, h), 0, mul(c, e, d, g), mul(c, f, d, h), 0, 0, 0, 1 << 30])
    }

    /// Quarter turns and mirror; nothing when the matrix turns by other angles or squashes the picture flat.
    #[must_use]
    pub fn orientation(self) -> Option<Orientation> {
        let [a, b, _, c, d, ..] = self.0.map(i32::signum);
        let mirrored = a * d - b * c < 0;
        let rotation = match if mirrored { (-a, -b, c, d) } else { (a, b, c, d) } {
            (1, 0, 0, 1) => 0,
            (0, 1, -1, 0) => 90,
            (-1, 0, 0, -1) => 180,
            (0, -1, 1, 0) => 270,
            _ => return None,
        };
        Some(Orientation { rotation, mirrored })
    }

    /// Whether both axes are stretched alike.
    #[must_use]
    pub fn keeps_aspect(self) -> bool {
        let [a, b, _, c, d, ..] = self.0.map(i32::unsigned_abs);
        a == d && b == c
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: i32 = 1 << 16;

    fn matrix(a: i32, b: i32, c: i32, d: i32) -> Matrix {
        Matrix([a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 0, 0, 1 << 30])
    }

    #[test]
    fn a_phone_held_upright_is_turned_by_90_degrees() {
        assert_eq!(matrix(0, 1, -1, 0).orientation(), Some(Orientation { rotation: 90, mirrored: false }));
    }

    #[test]
    fn a_flip_is_no_turn() {
        assert_eq!(matrix(-1, 0, 0, 1).orientation(), Some(Orientation { rotation: 0, mirrored: true }));
        assert_eq!(matrix(1, 0, 0, -1).orientation(), Some(Orientation { rotation: 180, mirrored: true }));
    }

    #[test]
    fn a_flat_or_skewed_matrix_has_no_orientation() {
        assert_eq!(Matrix([0; 9]).orientation(), None);
        assert_eq!(matrix(1, 1, -1, 1).orientation(), None);
    }

    #[test]
    fn two_quarter_turns_are_a_half_turn() {
        let quarter = matrix(0, 1, -1, 0);
        assert_eq!(quarter.then(quarter).orientation(), Some(Orientation { rotation: 180, mirrored: false }));
    }
}
