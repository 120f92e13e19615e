//! Writes a council and says how fast: `cargo run --release -p fc-synth --example council -- 100000 7 OUT`.
#![expect(clippy::print_stdout, reason = "an example speaks to whoever runs it")]

use std::{error::Error, time::Instant};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let people = arguments.next().ok_or("how many people?")?.parse()?;
    let seed = arguments.next().ok_or("which seed?")?.parse()?;
    let out = arguments.next().ok_or("which folder?")?.into();
    let options = fc_synth::Options { people, seed, out, today: jiff::civil::date(2026, 3, 2) };
    let start = Instant::now();
    let summary = fc_synth::write_council(&options, &mut |_| ())?;
    let seconds = start.elapsed().as_secs_f64();
    println!("{} people in {} families, {} records, {:.0} people a second", summary.people, summary.families, summary.records, summary.people as f64 / seconds);
    for feed in summary.feeds {
        println!("{:50} {:8} rows, {} unusable, {} wrong NHS numbers", feed.file, feed.used, feed.unusable, feed.wrong_nhs_numbers);
    }
    Ok(())
}
