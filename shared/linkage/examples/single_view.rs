//! Two services' lists of people, joined into people with reasons: how a single view of debt, say, would use this crate.
//!
//! ```text
//! cargo run -p fc-linkage --example single_view
//! ```

#![expect(clippy::print_stdout, reason = "a command-line example")]

use fc_linkage::{Model, Subject, explain, link};
use fc_model::{Address, BirthDate, Details, Name, PartialDate, Postcode, RecordId, SourceId};

/// Number, forename, surname, date of birth, house, postcode: what each service has.
type Row = [&'static str; 6];

const COUNCIL_TAX: [Row; 3] = [
    ["2001", "Robert", "O'Brien", "1984-03-02", "2 High Street", "SK1 3XE"],
    ["2002", "Amara", "Okafor", "1991-11-30", "Flat 14A, 9 Maple Lane", "SK4 1AA"],
    ["2003", "Ruth", "Nowak", "", "31 Mill Road", "SK2 5JP"],
];
const RENT: [Row; 3] = [
    ["T-17", "BOB", "OBRIEN", "1984-02-03", "2 High St", "SK1 3XE"],
    ["T-18", "Amara", "Okafor-Smith", "1991-11-30", "14A/9 Maple Lane", "SK4 1AA"],
    ["T-19", "Daniel", "Okafor", "1991-11-30", "14A/9 Maple Lane", "SK4 1AA"],
];

/// A row as a record of its service. What does not parse is left out, and links nobody.
fn subject(service: &SourceId, [number, forename, surname, born, house, postcode]: &Row) -> Subject {
    let details = Details {
        names: vec![Name::current([*forename], *surname)],
        birth: PartialDate::parse_iso(born).ok().map(BirthDate::born),
        addresses: vec![Address {
            lines: vec![(*house).to_owned()],
            postcode: Postcode::parse(postcode).ok(),
            ..Address::default()
        }],
        ..Details::default()
    };
    Subject::of(RecordId::new(service.clone(), *number), &details)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (council_tax, rent) = (SourceId::parse("council_tax")?, SourceId::parse("rent")?);
    let rows = COUNCIL_TAX.iter().map(|row| (&council_tax, row)).chain(RENT.iter().map(|row| (&rent, row)));
    let records: Vec<Subject> = rows.map(|(service, row)| subject(service, row)).collect();

    // How likely two records agree by chance depends on how many there are, and each list knows who is who of its own.
    let model = Model::shipped().suited_to(&records);
    let linked = link(&model, &records, &[]);

    for (record, person) in records.iter().zip(&linked.people) {
        println!("person {person}: {}", record.record);
    }
    let people = linked.people.iter().max().map_or(0, |last| last + 1);
    for tie in (0..people).flat_map(|person| linked.ties(&model, &records, person)) {
        let (a, b) = (&records[tie.a], &records[tie.b]);
        let comparison = model.compare(&a.standard, &b.standard);
        println!("{} and {}, {:.3}: {}", a.record, b.record, comparison.probability, explain(&comparison));
    }
    for pair in &linked.possible {
        println!("ask somebody: {} and {}, {}", records[pair.a].record, records[pair.b].record, pair.why);
    }
    Ok(())
}
