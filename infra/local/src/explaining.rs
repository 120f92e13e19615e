//! `link --explain-page`: one page, with pictures, on why records are one person or are not.

use crate::operator::{OperatorError, file_error};
use clap::Args;
use fc_linkage::{
    Linked, Model, Subject,
    page::{Outcome, Pair, pair_page, person_page},
};
use std::{fs, io, path::PathBuf};

/// The page and what it is about.
#[derive(Debug, Args)]
pub struct ExplainPage {
    /// A page to write (one HTML file with pictures) on why the records of --about are one person, or are not.
    #[arg(long, value_name = "FILE", requires = "about")]
    explain_page: Option<PathBuf>,
    /// What --explain-page is about: a record, for the person it is part of; twice, for whether the two are one person.
    #[arg(long, value_name = "SOURCE:RECORD", requires = "explain_page")]
    about: Vec<String>,
}

impl ExplainPage {
    /// The file of the page, if one was asked for.
    pub(crate) fn file(&self) -> Option<&PathBuf> {
        self.explain_page.as_ref()
    }

    /// Writes the page, if one was asked for.
    pub(crate) fn write(&self, model: &Model, records: &[Subject], linked: &Linked) -> Result<(), OperatorError> {
        let Some(file) = &self.explain_page else { return Ok(()) };
        let failed = |why: String| file_error(file)(io::Error::other(why));
        let find = |name: &String| {
            let found = records.iter().position(|subject| subject.record.to_string() == *name);
            found.ok_or_else(|| failed(format!("there is no record {name} in these extracts; write SOURCE:RECORD")))
        };
        let about = self.about.iter().map(find).collect::<Result<Vec<usize>, OperatorError>>()?;
        let pair = |a: usize, b: usize| Pair {
            a: records[a].record.to_string(),
            b: records[b].record.to_string(),
            comparison: model.compare(&records[a].standard, &records[b].standard),
        };
        let page = match about[..] {
            [one] => {
                let person = linked.people[one];
                let ties: Vec<Pair> =
                    linked.ties(model, records, person).iter().map(|tie| pair(tie.a, tie.b)).collect();
                let of_person = records.iter().zip(&linked.people).filter(|(_, of)| **of == person);
                let names: Vec<String> = of_person.map(|(subject, _)| subject.record.to_string()).collect();
                person_page(model, &names, &ties)
            }
            [a, b] => pair_page(model, &pair(a, b), outcome(linked, a, b)),
            _ => return Err(failed("--about is for one record or two".to_owned())),
        };
        fs::write(file, page).map_err(file_error(file))
    }
}

/// What became of two records.
fn outcome(linked: &Linked, a: usize, b: usize) -> Outcome {
    let people = |x: usize, y: usize| {
        let (x, y) = (linked.people[x], linked.people[y]);
        (x.min(y), x.max(y))
    };
    if linked.people[a] == linked.people[b] {
        return Outcome::Together;
    }
    let asked = linked.possible.iter().find(|pair| people(pair.a, pair.b) == people(a, b));
    asked.map_or(Outcome::Apart, |pair| Outcome::Asked(pair.why))
}
