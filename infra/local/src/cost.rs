//! `cost`: what a council pays AWS a month, from counted operations and a file of prices.
//!
//! A bill is a sum over `Use`s: how many of something, at which price. What is counted stands in `counted`, each
//! number with where it comes from; an allowance that tests enforce (at most 30 read units a search) counts in full, so
//! the bill is an upper estimate of what is read and written. Free allowances of AWS are left out for the same reason.

use clap::Args;
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{self, Write},
};

/// The prices that come with the tool.
const PRICES: &str = include_str!("../../prices.toml");

/// Days in a month, and those people work.
const DAYS: f64 = 30.0;
const WORKING_DAYS: f64 = 21.0;
const SECONDS_A_MONTH: f64 = DAYS * 86_400.0;
const MILLION: f64 = 1e6;
const GIGABYTE: f64 = 1e9;

/// `cost`: what a council pays AWS a month.
#[derive(Debug, Clone, Args)]
pub struct Cost {
    /// People in the council's records.
    #[arg(long, value_name = "N", default_value_t = 300_000)]
    people: u32,
    /// Source systems that send a whole file every night.
    #[arg(long, value_name = "N", default_value_t = 6)]
    sources: u32,
    /// People who use the page.
    #[arg(long, value_name = "N", default_value_t = 400)]
    users: u32,
    /// Share of the records that change in a night.
    #[arg(long, value_name = "SHARE", default_value_t = 0.01, value_parser = share)]
    change_rate: f64,
    /// How many councils of this size, each in a stack of its own.
    #[arg(long, value_name = "N", default_value_t = 1)]
    councils: u32,
}

fn share(text: &str) -> Result<f64, &'static str> {
    let share: f64 = text.parse().map_err(|_| "write a share such as 0.01")?;
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err("a share is between 0 and 1") }
}

/// A file of prices, in US dollars.
#[derive(Debug, Deserialize)]
struct Prices {
    date: String,
    source: String,
    region: String,
    #[serde(flatten)]
    services: BTreeMap<String, BTreeMap<String, f64>>,
}

/// So many of something that has a price.
#[derive(Debug, Clone, Copy)]
struct Use {
    service: &'static str,
    price: &'static str,
    what: &'static str,
    quantity: f64,
}

/// Everything a council uses in a month.
fn counted(council: &Cost) -> Vec<Use> {
    let (people, sources, users) = (f64::from(council.people), f64::from(council.sources), f64::from(council.users));

    // Reading. Four searches a visit, a person and two services opened after each (research), a visit a working day.
    let searches = users * 4.0 * WORKING_DAYS;
    let opened = searches * 3.0;
    // The page sends a search on to its results, which look again. Each answer reads its session; assets are not counted.
    let requests = searches * 2.0 + opened;
    // The test of the commonest name allows 30 read units a search, that of a large family 15 a person.
    let reads_of_people = searches * 2.0 * 30.0 + opened * 15.0 + requests;
    // Two audit entries an answer, each below 1 KB; a saved search; a session seen again once a minute at most.
    let writes_of_people = requests * 2.0 + searches + requests;

    // Loading. Five records a person (1.5 million for 300,000), of which a share changes every night.
    let records = people * 5.0;
    let changed = records * council.change_rate * DAYS;
    // The test of one changed record allows 20 units of each; at 1.5 million records 10.5 and 22.5 were counted
    // (docs/benchmarks.md).
    let (written, read) = (changed * 20.0, changed * 23.0);
    let files = sources * DAYS;
    // A load's own small writes (the test of an unchanged file allows 8); parts hold 100 changes at most.
    let parts = changed / 100.0 + if changed > 0.0 { files } else { 0.0 };
    let own_writes = files * 8.0 + parts * 2.0;
    // Every five minutes a look at each feed, of which a source has two.
    let sweeps = SECONDS_A_MONTH / 300.0;

    // Time of functions in seconds, and memory as in the template. Not measured on AWS: 50 ms an answer at 512 MB; a part
    // of 100 records 10 s at 1 GB, nearly all of it waiting for tables; 20,000 rows a second at 1769 MB.
    let rows = records * DAYS;
    let gigabyte_seconds = requests * 0.05 * 0.5
        + parts * 10.0
        + rows / 20_000.0 * 1.73
        + sweeps * 0.1 * 1.73
        + requests.min(SECONDS_A_MONTH / 60.0) * 0.1 * 0.25;

    // Storage in bytes. A record with its keys and its share of a head 2,400; a person's view, summary, relatives and
    // search entries 6,000 (the measured sizes of the made-up council); an audit entry 500, kept for a year here.
    let stored = records * 2_400.0 + people * 6_000.0 + requests * 2.0 * 500.0 * 12.0;
    // Raw files are kept for 14 nights at 300 bytes a row; manifests 110 bytes a record; the archive as the audit table.
    let kept = rows / DAYS * 14.0 * 300.0 + records * 110.0 + requests * 2.0 * 500.0 * 12.0;

    // Lambda asks each queue 15 times a minute when nothing is there (five pollers, 20 s long).
    let polls = 2.0 * SECONDS_A_MONTH / 4.0;
    // Log lines of 300 bytes: three an answer with Lambda's own, four a part, twenty a load.
    let logged = (requests * 3.0 + parts * 4.0 + files * 20.0 + sweeps * 3.0) * 300.0;

    vec![
        Use {
            service: "dynamodb",
            price: "million_write_units",
            what: "records and people written",
            quantity: written / MILLION,
        },
        Use {
            service: "dynamodb",
            price: "million_read_units",
            what: "records read to match them",
            quantity: read / MILLION,
        },
        Use {
            service: "dynamodb",
            price: "million_read_units",
            what: "read for those who look",
            quantity: reads_of_people / MILLION,
        },
        Use {
            service: "dynamodb",
            price: "million_write_units",
            what: "audit trail and sessions",
            quantity: writes_of_people / MILLION,
        },
        Use { service: "dynamodb", price: "million_write_units", what: "loads", quantity: own_writes / MILLION },
        Use {
            service: "dynamodb",
            price: "million_read_units",
            what: "looking after feeds",
            quantity: sweeps * sources * 2.0 / MILLION,
        },
        Use { service: "dynamodb", price: "gigabyte_month", what: "kept", quantity: stored / GIGABYTE },
        Use {
            service: "dynamodb",
            price: "gigabyte_month_of_recovery",
            what: "kept to restore from",
            quantity: stored / GIGABYTE,
        },
        Use {
            service: "lambda",
            price: "million_requests",
            what: "calls",
            quantity: (requests * 2.0 + parts + files + sweeps) / MILLION,
        },
        Use { service: "lambda", price: "gigabyte_second", what: "time", quantity: gigabyte_seconds },
        Use { service: "api", price: "million_requests", what: "requests", quantity: requests / MILLION },
        Use { service: "s3", price: "gigabyte_month", what: "kept", quantity: kept / GIGABYTE },
        Use {
            service: "s3",
            price: "thousand_writes",
            what: "files, parts, reports, archive",
            quantity: (files * 6.0 + parts + requests.min(SECONDS_A_MONTH / 60.0)) / 1_000.0,
        },
        Use {
            service: "s3",
            price: "thousand_reads",
            what: "files, parts, manifests",
            quantity: (files * 3.0 + parts) / 1_000.0,
        },
        Use {
            service: "sqs",
            price: "million_requests",
            what: "messages and asking for them",
            quantity: (polls + (parts + files * 3.0 + sweeps) * 3.0) / MILLION,
        },
        Use { service: "cloudwatch", price: "gigabyte_logged", what: "logs", quantity: logged / GIGABYTE },
        // As many as tests/deployed counts.
        Use {
            service: "cloudwatch",
            price: "alarm_month",
            what: "alarms",
            quantity: 19.0 + f64::from(council.sources),
        },
        Use { service: "cloudwatch", price: "metric_month", what: "metrics of our own", quantity: 5.0 },
        Use { service: "kms", price: "key_month", what: "the council's key", quantity: 1.0 },
        // Tables and buckets keep data keys; each idle function, queue and table asks again every few minutes.
        Use {
            service: "kms",
            price: "million_requests",
            what: "uses of it",
            quantity: (SECONDS_A_MONTH / 300.0 * 12.0 + parts + files * 8.0) / MILLION,
        },
        Use { service: "secrets", price: "secret_month", what: "hashing and client secrets", quantity: 2.0 },
    ]
}

/// What a council pays once, when its records are loaded for the first time: 17.8 write units and 18 read units a record
/// were counted at 1.5 million.
fn first_load(council: &Cost) -> [Use; 2] {
    let records = f64::from(council.people) * 5.0;
    let of = |price, units: f64| Use {
        service: "dynamodb",
        price,
        what: "the first load, once",
        quantity: records * units / MILLION,
    };
    [of("million_write_units", 20.0), of("million_read_units", 18.0)]
}

impl Prices {
    fn shipped() -> Result<Self, io::Error> {
        toml::from_str(PRICES).map_err(io::Error::other)
    }

    /// Dollars for a use.
    fn of(&self, used: &Use) -> Result<f64, io::Error> {
        let price = self.services.get(used.service).and_then(|prices| prices.get(used.price));
        let missing = || io::Error::other(format!("infra/prices.toml has no {}.{}", used.service, used.price));
        price.map(|price| price * used.quantity).ok_or_else(missing)
    }

    /// Dollars for several.
    fn sum(&self, uses: &[Use]) -> Result<f64, io::Error> {
        uses.iter().map(|used| self.of(used)).sum()
    }
}

impl Cost {
    /// Writes the bill to `out`.
    ///
    /// # Errors
    /// When a price is missing, or `out` cannot be written.
    pub fn run(&self, out: &mut impl Write) -> Result<(), io::Error> {
        let (prices, uses) = (Prices::shipped()?, counted(self));
        let idle = Self { users: 0, change_rate: 0.0, ..self.clone() };
        let mut bill = String::new();
        let mut service = "";
        for used in &uses {
            let name = if used.service == service { "" } else { used.service };
            service = used.service;
            let (unit, dollars) = (used.price.replace('_', " "), prices.of(used)?);
            let _ = writeln!(bill, "{name:<11} {:<30} {:>12.3} {unit:<28} {dollars:>8.2}", used.what, used.quantity);
        }
        let (month, still) = (prices.sum(&uses)?, prices.sum(&counted(&idle))?);
        writeln!(
            out,
            "{} people, {} sources, {} users, {} of the records changed a night; US dollars a month\n\n{bill}",
            self.people, self.sources, self.users, self.change_rate
        )?;
        writeln!(out, "{:<85} {month:>8.2}", "a month")?;
        writeln!(out, "{:<85} {still:>8.2}", "a month in which nobody uses it and nothing changes")?;
        writeln!(out, "{:<85} {:>8.2}", "the first load, once", prices.sum(&first_load(self))?)?;
        if self.councils > 1 {
            let (words, all) =
                (format!("a month, {} councils of this size", self.councils), month * f64::from(self.councils));
            writeln!(out, "{words:<85} {all:>8.2}")?;
        }
        writeln!(out, "\nPrices of {} in {}: {}.", prices.date, prices.region, prices.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn council(people: u32, users: u32, change_rate: f64) -> Cost {
        Cost { people, sources: 6, users, change_rate, councils: 1 }
    }

    fn dollars(council: &Cost) -> f64 {
        Prices::shipped().unwrap().sum(&counted(council)).unwrap()
    }

    #[test]
    fn a_council_costs_at_most_thirty_dollars_a_month() {
        let month = dollars(&council(300_000, 400, 0.01));
        assert!(month <= 30.0, "{month}");
    }

    #[test]
    fn a_month_in_which_nobody_uses_it_costs_at_most_ten_dollars() {
        let month = dollars(&council(300_000, 0, 0.0));
        assert!(month <= 10.0, "{month}");
    }

    #[test]
    fn what_changes_and_who_looks_is_what_costs() {
        let usual = dollars(&council(300_000, 400, 0.01));
        assert!(dollars(&council(300_000, 400, 0.02)) > usual + 5.0, "writing changes is the largest part");
        assert!(dollars(&council(300_000, 800, 0.01)) > usual);
        assert!(dollars(&council(600_000, 400, 0.01)) > usual);
    }

    #[test]
    fn a_bill_is_the_sum_of_its_lines() {
        let mut out = Vec::new();
        Cost { councils: 10, ..council(300_000, 400, 0.01) }.run(&mut out).unwrap();
        let bill = String::from_utf8(out).unwrap();
        let last = |line: &str| line.split_whitespace().last().and_then(|word| word.parse::<f64>().ok());
        let (lines, totals) = bill.split_once("\na month ").unwrap();
        let sum: f64 = lines.lines().skip(2).filter_map(last).sum();
        let month = last(totals.lines().next().unwrap()).unwrap();
        assert!((sum - month).abs() < 0.15, "{sum} is not {month}:\n{bill}");
        let region = totals.lines().find(|line| line.contains("10 councils")).and_then(last).unwrap();
        assert!((region - month * 10.0).abs() < 0.1, "{bill}");
    }

    #[test]
    fn a_price_that_is_missing_is_named() {
        let unpriced = Use { service: "dynamodb", price: "nothing", what: "", quantity: 1.0 };
        assert!(Prices::shipped().unwrap().of(&unpriced).unwrap_err().to_string().contains("dynamodb.nothing"));
    }

    #[test]
    fn a_share_is_between_nothing_and_all() {
        assert!(share("0.01").is_ok() && share("1").is_ok());
        for wrong in ["1%", "-0.1", "1.5", "NaN", ""] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
    }
}
