//! The waterfall: what each field adds to a comparison, as numbers in their order and as a picture of them.
//!
//! A picture is one SVG without script: its description tells the same in words, striped bars speak against, and every bar
//! has its number beside it, so that nothing depends on colour.

use crate::{Band, Comparison, Field, Level, Model, Weight};
use std::fmt::Write;

/// One step of a waterfall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bar {
    /// What is weighed, in words.
    pub what: &'static str,
    /// What was seen of it, in words.
    pub seen: &'static str,
    /// What it adds, in log2 odds: one more means twice the odds, one less half.
    pub adds: Weight,
    /// What that comes to with everything before.
    pub total: Weight,
}

/// The steps of a comparison: what was known before, every field, and what is taken away or added in the end. The last
/// total is the weight.
#[must_use]
pub fn waterfall(comparison: &Comparison) -> Vec<Bar> {
    let before = ("Before comparing", "any two records");
    let mut steps = vec![(before, comparison.prior)];
    steps.extend(comparison.fields.iter().map(|field| ((name(field.field), seen(field.level)), field.weight)));
    let taken = ("Relatives", "share surnames, addresses and birthdays too");
    let rest = ("Limits", "how often pairs like this were right, and what links nobody alone");
    let sum: f64 = steps.iter().map(|(_, adds)| adds.bits()).sum::<f64>() + comparison.family.bits();
    let left = Weight::from_bits(comparison.weight.bits() - sum);
    steps.extend([(taken, comparison.family), (rest, left)].into_iter().filter(|(_, adds)| *adds != Weight::default()));
    let mut total = 0.0;
    let bar = |((what, seen), adds): ((&'static str, &'static str), Weight)| {
        total += adds.bits();
        Bar { what, seen, adds, total: Weight::from_bits(total) }
    };
    steps.into_iter().map(bar).collect()
}

fn name(field: Field) -> &'static str {
    match field {
        Field::Forename => "Forename",
        Field::Surname => "Surname",
        Field::Birth => "Date of birth",
        Field::Address => "Address",
        Field::Sex => "Sex",
        Field::NhsNumber => "NHS number",
        Field::Upn => "Pupil number",
        Field::Contact => "Phone, e-mail, other number",
    }
}

fn seen(level: Level) -> &'static str {
    match level {
        Level::Same => "the same",
        Level::Nickname => "another form of the same name",
        Level::Shared => "one part in common",
        Level::Close => "spelled or typed differently",
        Level::Initial => "an initial that fits",
        Level::Swapped => "swapped",
        Level::Partial => "the same as far as it is known",
        Level::FirstOfJanuary => "the same year",
        Level::Expected => "born about when expected",
        Level::Building => "another flat in the same building",
        Level::Postcode => "the same postcode, another house",
        Level::Differ => "different",
        Level::Missing => "nothing to compare",
    }
}

/// A weight as people read it: a sign, one decimal.
pub(crate) fn signed(weight: Weight) -> String {
    let text = format!("{:+.1}", weight.bits());
    if text.ends_with("0.0") { "0".to_owned() } else { text.replace('-', "\u{2212}") }
}

/// What a band is called.
pub(crate) fn band(band: Band) -> &'static str {
    match band {
        Band::Linked => "enough to link",
        Band::Possible => "possible, for a steward to decide",
        Band::No => "not enough",
    }
}

/// Everything the picture shows, in words.
fn description(bars: &[Bar], comparison: &Comparison) -> String {
    let mut text = String::new();
    for bar in bars {
        let _ = write!(text, "{}, {}: {}. ", bar.what, bar.seen, signed(bar.adds));
    }
    let _ = write!(text, "In all {}: {}.", signed(comparison.weight), band(comparison.band));
    text
}

// Sizes in the picture's own units; letters are 14 high.
const ROW: f64 = 30.0;
const TOP: f64 = 44.0;
const LEFT: f64 = 220.0;
const RIGHT: f64 = 630.0;
const WIDTH: f64 = 700.0;

/// The picture of a comparison: an SVG element. `id` sets its parts apart from those of other pictures on one page, and is
/// made of letters, digits and hyphens.
#[must_use]
pub fn picture(model: &Model, comparison: &Comparison, id: &str) -> String {
    let bars = waterfall(comparison);
    let marks = [("possible", model.threshold(Band::Possible)), ("linked", model.threshold(Band::Linked))];
    let ends = bars.iter().map(|bar| bar.total.bits()).chain(marks.map(|(_, at)| at.bits())).chain([0.0]);
    let (low, high) = ends.fold((0.0_f64, 0.0_f64), |(low, high), at| (low.min(at), high.max(at)));
    let x = |bits: f64| LEFT + (bits - low) / (high - low).max(1.0) * (RIGHT - LEFT);
    let height = TOP + ROW * (bars.len() as f64 + 1.0) + 10.0;
    let mut svg = format!(
        "<svg role=\"img\" aria-labelledby=\"{id}-title {id}-desc\" viewBox=\"0 0 {WIDTH} {height}\" \
         xmlns=\"http://www.w3.org/2000/svg\" font-size=\"14\" fill=\"#0b0c0c\">\n\
         <title id=\"{id}-title\">What each field adds</title>\n\
         <desc id=\"{id}-desc\">{}</desc>\n\
         <defs><pattern id=\"{id}-against\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" \
         patternTransform=\"rotate(45)\"><rect width=\"6\" height=\"6\" fill=\"#fff\"/>\
         <rect width=\"3\" height=\"6\" fill=\"#942514\"/></pattern></defs>\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n",
        description(&bars, comparison)
    );
    for (row, (word, at)) in marks.into_iter().enumerate() {
        let (at, y) = (x(at.bits()), 14.0 + 18.0 * row as f64);
        let _ = writeln!(
            svg,
            "<path d=\"M{at:.1} {y:.1}V{height}\" stroke=\"#505a5f\" stroke-dasharray=\"4 3\"/>\
             <text x=\"{:.1}\" y=\"{y:.1}\" text-anchor=\"end\" paint-order=\"stroke\" stroke=\"#fff\" \
             stroke-width=\"4\">{word} from here</text>",
            at - 4.0
        );
    }
    let _ = writeln!(svg, "<path d=\"M{:.1} {TOP}V{height}\" stroke=\"#505a5f\"/>", x(0.0));
    let mut before = 0.0;
    for (row, bar) in bars.iter().enumerate() {
        let y = TOP + ROW * row as f64;
        let after = bar.total.bits();
        let (from, to) = (x(f64::min(before, after)), x(f64::max(before, after)));
        let fill = if after < before { format!("url(#{id}-against)") } else { "#1d70b8".to_owned() };
        let edge = if after < before { "#942514" } else { "#1d70b8" };
        let _ = writeln!(
            svg,
            "<text x=\"0\" y=\"{:.1}\">{}</text><rect x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"18\" \
             fill=\"{fill}\" stroke=\"{edge}\"/><text x=\"{WIDTH}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            y + 19.0,
            bar.what,
            y + 5.0,
            (to - from).max(1.0),
            y + 19.0,
            signed(bar.adds)
        );
        let at = x(after);
        let _ = writeln!(svg, "<path d=\"M{at:.1} {:.1}V{:.1}\" stroke=\"#0b0c0c\"/>", y + 5.0, y + ROW + 5.0);
        before = after;
    }
    let y = TOP + ROW * bars.len() as f64;
    let (from, to) = (x(before.min(0.0)), x(before.max(0.0)));
    let _ = writeln!(
        svg,
        "<g font-weight=\"700\"><text x=\"0\" y=\"{:.1}\">In all</text><text x=\"{WIDTH}\" y=\"{:.1}\" \
         text-anchor=\"end\">{}</text></g><rect x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"18\"/>\n</svg>",
        y + 19.0,
        y + 19.0,
        signed(comparison.weight),
        y + 5.0,
        (to - from).max(1.0)
    );
    svg
}
