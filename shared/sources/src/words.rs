//! What the page says when there is nothing to show: each kind of nothing has its own sentence.

use crate::{
    Definition,
    dates::in_words,
    definition::{AgeUnknown, Ages},
    section::Section,
};
use fc_model::Date;

macro_rules! words {
    ($($(#[$doc:meta])* $key:ident ($($placeholder:literal),*) = $default:literal;)+) => {
        /// The sentences of one source. Each may be replaced in `[words]` of its definition; the words in braces are
        /// filled in.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Words {
            $($(#[$doc])* pub(crate) $key: String,)+
        }

        impl Default for Words {
            fn default() -> Self {
                Self { $($key: $default.into(),)+ }
            }
        }

        impl Words {
            pub(crate) fn read(section: Option<Section<'_, '_>>) -> Self {
                let mut words = Self::default();
                let Some(section) = section else { return words };
                $(if let Some(text) = section.text(stringify!($key)) {
                    check_placeholders(&section, stringify!($key), &text, &[$($placeholder),*]);
                    words.$key = text;
                })+
                section.finish();
                words
            }
        }
    };
}

words! {
    /// No record was found.
    no_record("service", "database", "area", "period", "from", "to", "team", "phone", "hours") =
        "No record found in {service}, {database} for this person. We checked {area}, {period}. This does not mean the service is not involved. Ring {team} on {phone}.";
    /// Not shown at this age.
    age("service", "ages", "team", "phone") = "We do not show {service} records for people {ages}.";
    /// Shown only at some ages, and the age is not known.
    age_unknown("service", "ages", "team", "phone") = "We do not know this person's age, so {service} is not shown. Ring {team} on {phone}.";
    /// No record, and the source is stale or was never loaded.
    stale("service", "database", "date", "team", "phone") = "We cannot say. {service} has not updated since {date}. Ring {team} on {phone}.";
    /// No record, and the source was never loaded.
    never_loaded("service", "database", "team", "phone") = "We cannot say. We have never had information from {service}. Ring {team} on {phone}.";
    /// A record, but an old one.
    stale_present("service", "database", "days", "date", "every") = "{service} information is {days} old. Last updated {date}; expected {every}.";
    /// There is something, and the reader may not see it.
    withheld("service", "team", "phone") = "There may be information about this person that you cannot see. Speak to {team} on {phone}.";
    /// A field the source leaves empty.
    empty("field", "service", "database") = "{field}: not recorded in {database}.";
}

fn check_placeholders(section: &Section<'_, '_>, key: &str, text: &str, known: &[&str]) {
    for piece in text.split('{').skip(1) {
        let name = piece.split('}').next().unwrap_or_default();
        if !piece.contains('}') || !known.contains(&name) {
            section.file.note(
                Some(section.line_of(key)),
                format!("The sentence \"{key}\" has {{{name}}}, which we cannot fill in."),
                format!(
                    "Known there: {}.",
                    known.iter().map(|name| format!("{{{name}}}")).collect::<Vec<_>>().join(", ")
                ),
            );
        }
    }
}

fn fill(template: &str, values: &[(&str, &str)]) -> String {
    // One pass, so that a value with braces in it is not filled again.
    let mut out = String::new();
    let mut rest = template;
    while let Some(start) = rest.find('{') {
        out.push_str(&rest[..start]);
        let inside = &rest[start + 1..];
        let Some(end) = inside.find('}') else { break };
        match values.iter().find(|(name, _)| *name == &inside[..end]) {
            Some((_, value)) => out.push_str(value),
            None => out.push_str(&rest[start..=start + 1 + end]),
        }
        rest = &inside[end + 1..];
    }
    out.push_str(rest);
    out
}

impl Definition {
    fn says(&self, template: &str, more: &[(&str, &str)]) -> String {
        let mut values = vec![
            ("service", self.service_title.as_str()),
            ("database", self.database.as_str()),
            ("area", self.area.as_str()),
            ("team", self.duty.team.as_str()),
            ("phone", self.duty.phone.as_str()),
            ("hours", self.duty.hours.as_deref().unwrap_or_default()),
        ];
        values.extend_from_slice(more);
        fill(template, &values)
    }

    /// No record was found in information that was true on `up_to`.
    #[must_use]
    pub fn says_no_record(&self, up_to: Date) -> String {
        let from = self.coverage.first_day(up_to).map(in_words).unwrap_or_default();
        let to = in_words(up_to);
        let period = if from.is_empty() { format!("up to {to}") } else { format!("{from} to {to}") };
        self.says(&self.words.no_record, &[("period", &period), ("from", &from), ("to", &to)])
    }

    /// Not shown at this age; the same whether or not a record exists.
    #[must_use]
    pub fn says_not_at_this_age(&self) -> String {
        self.says(&self.words.age, &[("ages", &outside(self.ages))])
    }

    /// At which ages a search does not look here: "Police for people under 18"; `None` where it always does.
    #[must_use]
    pub fn says_not_searched(&self) -> Option<String> {
        let is_hidden = self.age_unknown == AgeUnknown::Hide;
        let or_unknown = if is_hidden { " or of unknown age" } else { "" };
        (self.ages != Ages::default())
            .then(|| format!("{} for people {}{or_unknown}", self.service_title, outside(self.ages)))
    }

    /// Not shown because the age is not known.
    #[must_use]
    pub fn says_age_unknown(&self) -> String {
        self.says(&self.words.age_unknown, &[("ages", &outside(self.ages))])
    }

    /// What the source does and does not cover: "Current tenants only."
    #[must_use]
    pub fn says_coverage(&self) -> Option<String> {
        self.coverage.text.clone()
    }

    /// The period covered, up to the day the information was true: "1 January 2014 to 3 March 2026".
    #[must_use]
    pub fn says_period(&self, up_to: Date) -> String {
        match self.coverage.first_day(up_to) {
            Some(from) => format!("{} to {}", in_words(from), in_words(up_to)),
            None => format!("up to {}", in_words(up_to)),
        }
    }

    /// Nothing found, and the source is stale (or, without a date, was never loaded): we cannot say.
    #[must_use]
    pub fn says_stale(&self, as_of: Option<Date>) -> String {
        match as_of {
            Some(date) => self.says(&self.words.stale, &[("date", &in_words(date))]),
            None => self.says(&self.words.never_loaded, &[]),
        }
    }

    /// Something found, but the information is old.
    #[must_use]
    pub fn says_stale_but_present(&self, as_of: Date, today: Date) -> String {
        let age = (today - as_of).get_days();
        let days = if age == 1 { "1 day".to_owned() } else { format!("{age} days") };
        let every = match self.freshness_days {
            0 | 1 => "daily".to_owned(),
            7 => "weekly".to_owned(),
            n => format!("every {n} days"),
        };
        self.says(&self.words.stale_present, &[("days", &days), ("date", &in_words(as_of)), ("every", &every)])
    }

    /// There is information that the reader may not see.
    #[must_use]
    pub fn says_withheld(&self) -> String {
        self.says(&self.words.withheld, &[])
    }

    /// A field that the source leaves empty: "Phone number: not recorded in Northgate."
    #[must_use]
    pub fn says_empty(&self, field: &str) -> String {
        self.says(&self.words.empty, &[("field", field)])
    }
}

fn outside(ages: Ages) -> String {
    match (ages.from, ages.to) {
        (Some(from), Some(to)) => format!("under {from} or over {to}"),
        (Some(from), None) => format!("under {from}"),
        (None, Some(to)) => format!("over {to}"),
        (None, None) => "of any age".into(),
    }
}
