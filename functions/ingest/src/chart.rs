//! A small line chart of shares, with the same said in words.

use std::fmt::Write;

/// Width and height of a chart, in its own units.
const SIZE: (f64, f64) = (200.0, 50.0);
/// Room at the edges, so that a line at 0% or 100% is seen whole.
const EDGE: f64 = 4.0;

/// Writes a list item with a measure's shares in percent, oldest first; `None` where an earlier load had none of it.
pub(crate) fn write(page: &mut String, name: &str, shares: &[Option<f64>]) -> std::fmt::Result {
    let known: Vec<f64> = shares.iter().copied().flatten().collect();
    let Some((now, earlier)) = known.split_last() else { return Ok(()) };
    let mut words = format!("{name}: ");
    for share in earlier.iter().rev().take(5).rev() {
        write!(words, "{share:.1}%, ")?;
    }
    write!(words, "now {now:.1}%")?;
    let step = (SIZE.0 - 2.0 * EDGE) / (shares.len().max(2) - 1) as f64;
    let points = shares.iter().enumerate().filter_map(|(place, share)| {
        let (x, y) = (EDGE + place as f64 * step, SIZE.1 - EDGE - (*share)? / 100.0 * (SIZE.1 - 2.0 * EDGE));
        Some((x, y))
    });
    let points: Vec<(f64, f64)> = points.collect();
    write!(
        page,
        "<li><svg role=\"img\" aria-label=\"{words}\" viewBox=\"0 0 {} {}\" preserveAspectRatio=\"none\"><polyline fill=\"none\" \
         stroke=\"#1d5fa8\" stroke-width=\"2\" points=\"",
        SIZE.0, SIZE.1
    )?;
    for (x, y) in &points {
        write!(page, "{x:.1},{y:.1} ")?;
    }
    page.push_str("\"/>");
    if let Some((x, y)) = points.last() {
        write!(page, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"#1d5fa8\"/>")?;
    }
    write!(page, "</svg><span>{words}</span></li>")
}
