//! Pages that explain: why two records are, or are not, one person, and what holds a person's records together. Each is
//! one HTML file that needs nothing else, holds ids of records and no other personal data, and is the same whenever it is
//! made from the same records.

use crate::{
    Comparison, Model, Refusal, explain,
    waterfall::{band, picture, signed, waterfall},
};
use std::fmt::Write;

/// Two records, compared.
#[derive(Debug, Clone)]
pub struct Pair {
    /// One record's id, as people write it.
    pub a: String,
    /// The other's.
    pub b: String,
    /// How far they agree.
    pub comparison: Comparison,
}

/// What became of two records in the end, with every other record judged too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// They are one person.
    Together,
    /// They are two people, and a steward is asked.
    Asked(Refusal),
    /// They are two people.
    Apart,
}

/// The page about two records.
#[must_use]
pub fn pair_page(model: &Model, pair: &Pair, outcome: Outcome) -> String {
    let (title, words) = match outcome {
        Outcome::Together => ("Why these two records are one person", String::new()),
        Outcome::Asked(why) => (
            "Why a steward is asked about these two records",
            format!("<p>They are kept apart, and a steward is asked: {why}.</p>\n"),
        ),
        Outcome::Apart => ("Why these two records are two people", String::new()),
    };
    let mut main = format!("<h1>{title}</h1>\n{words}");
    compared(&mut main, model, pair, "pair", "The two records", "");
    page(title, &main)
}

/// The page about a person: its records, each with the link that holds it most, and every link, the weakest first.
/// `ties` are those of [`Linked::ties`](crate::Linked::ties).
#[must_use]
pub fn person_page(model: &Model, records: &[String], ties: &[Pair]) -> String {
    let title = match records {
        [_] => "Why this record is a person by itself".to_owned(),
        _ => format!("Why these {} records are one person", records.len()),
    };
    let mut main = format!(
        "<h1>{title}</h1>\n<table>\n<caption>The records, and what holds each here most</caption>\n<thead><tr>\
         <th scope=\"col\">Record</th><th scope=\"col\">Held by</th><th scope=\"col\">How sure</th>\
         <th scope=\"col\">Why</th></tr></thead>\n<tbody>\n"
    );
    for record in records {
        // The weakest come first, so the last is the strongest.
        let held = ties.iter().rfind(|tie| tie.a == *record || tie.b == *record);
        let (by, sure, why) = match held {
            Some(tie) => (
                escaped(if tie.a == *record { &tie.b } else { &tie.a }),
                percent(&tie.comparison),
                explain(&tie.comparison),
            ),
            None => ("nothing".to_owned(), String::new(), "no other record is linked with it".to_owned()),
        };
        let _ = writeln!(
            main,
            "<tr><th scope=\"row\">{}</th><td>{by}</td><td>{sure}</td><td>{why}</td></tr>",
            escaped(record)
        );
    }
    main.push_str("</tbody>\n</table>\n");
    for (at, tie) in ties.iter().enumerate() {
        let heading = match at {
            0 if ties.len() > 1 => "The weakest link".to_owned(),
            0 => "The link".to_owned(),
            at => format!("Link {} of {}", at + 1, ties.len()),
        };
        let note = match at {
            0 if ties.len() > 1 => "<p>Were this link wrong, the records would be two people. Check it first.</p>\n",
            _ => "",
        };
        compared(&mut main, model, tie, &format!("link-{}", at + 1), &heading, note);
    }
    page(&title, &main)
}

/// A comparison: the sentence, the picture, and the table that tells the same.
fn compared(main: &mut String, model: &Model, pair: &Pair, id: &str, heading: &str, note: &str) {
    let comparison = &pair.comparison;
    let _ = writeln!(
        main,
        "<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{heading}</h2>\n\
         <p class=\"records\"><strong>{}</strong> and <strong>{}</strong></p>\n<p>{}.</p>\n\
         <p>How sure by themselves: <strong>{}</strong>, {}.</p>\n{note}<figure>\n\
         <div class=\"wide\" role=\"region\" aria-label=\"Picture: {heading}\" tabindex=\"0\">\n{}</div>\n\
         <figcaption>Plain bars speak for one person, striped bars against. Each begins where the one above ends. One more \
         means twice the odds, one less half.</figcaption>\n</figure>\n<table>\n\
         <caption>The same in numbers</caption>\n<thead><tr><th scope=\"col\">What</th><th scope=\"col\">Seen</th>\
         <th scope=\"col\" class=\"n\">Adds</th><th scope=\"col\" class=\"n\">Total</th></tr></thead>\n<tbody>",
        escaped(&pair.a),
        escaped(&pair.b),
        capital(&explain(comparison)),
        percent(comparison),
        band(comparison.band),
        picture(model, comparison, id)
    );
    for bar in waterfall(comparison) {
        let _ = writeln!(
            main,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            bar.what,
            bar.seen,
            signed(bar.adds),
            signed(bar.total)
        );
    }
    main.push_str("</tbody>\n</table>\n</section>\n");
}

/// The probability, never said to be certain.
fn percent(comparison: &Comparison) -> String {
    let percent = comparison.probability * 100.0;
    if percent > 99.9 {
        "more than 99.9%".to_owned()
    } else if percent < 0.1 {
        "less than 0.1%".to_owned()
    } else {
        format!("{percent:.1}%")
    }
}

fn capital(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const STYLE: &str = "body{margin:0;font:1.125rem/1.5 system-ui,sans-serif;color:#0b0c0c;background:#fff}\
main{max-width:50rem;margin:0 auto;padding:1rem}h1,h2{line-height:1.2}.records{overflow-wrap:anywhere}\
figure{margin:1rem 0}.wide{overflow-x:auto}.wide:focus-visible{outline:3px solid #0b0c0c;outline-offset:3px}\
svg{display:block;min-width:36rem;width:100%;height:auto}\
table{border-collapse:collapse;width:100%;margin:1rem 0 2rem}caption{text-align:left;font-weight:700}\
th,td{text-align:left;vertical-align:top;padding:.3rem .5rem .3rem 0;border-bottom:1px solid #505a5f}\
@media(max-width:40rem){th,td{overflow-wrap:anywhere}}\
.n{text-align:right;white-space:nowrap}";

fn page(title: &str, main: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en-GB\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<main>\n{main}</main>\n</body>\n</html>\n"
    )
}
