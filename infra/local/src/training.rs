//! `train`: a model estimated from a council's own extracts, offline and without labels. Nothing is stored or sent but the
//! model file, which names nobody.

use crate::{
    definitions,
    linking::{Extract, model_file, read, truth},
    operator::{OperatorError, file_error},
    steps::Steps,
};
use clap::Args;
use fc_linkage::{Field, ModelFile, Training, calibrate, train};
use fc_model::Date;
use std::{
    io::Write,
    path::{Path, PathBuf},
};

/// `train`: estimates how matching should weigh what records have in common, from extracts, without being told who is who.
///
/// Give the extracts of every source together, as large as they are: the weights are learnt from records of one person in
/// several sources. `link --model` uses the file; compare both before you deploy it.
#[derive(Debug, Args)]
pub struct Train {
    /// Extracts, each as SOURCE=FILE or SOURCE/FEED=FILE. Their order does not matter.
    #[arg(required = true, value_name = "SOURCE=FILE")]
    extracts: Vec<Extract>,
    /// The folder with the source definitions (*.toml). Without it, the ones that come with the tool.
    #[arg(long, value_name = "DIR")]
    sources: Option<PathBuf>,
    /// The model file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The model to start from. Without it, the one that comes with the tool.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// A file with the columns source, source_record_id and person_id that says who is who, for those few who have one: probabilities are then set to what they turn out to be.
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// Keep what the first model says of a field. Can be given several times: forename, surname, birth, address, sex, nhs_number, upn, contact.
    #[arg(long, value_name = "FIELD", value_parser = field)]
    keep: Vec<Field>,
    /// Keep how common the first model says that names are, and count none.
    #[arg(long)]
    keep_names: bool,
    /// List a name only if it is on so many records, so that the file names nobody.
    #[arg(long, value_name = "RECORDS", default_value_t = fc_linkage::train::FEWEST_OF_A_NAME, value_parser = fewest)]
    fewest_of_a_name: usize,
    /// How many pairs to draw at random, to see what strangers have in common.
    #[arg(long, value_name = "PAIRS", default_value_t = 1_000_000)]
    random_pairs: usize,
    /// What they are drawn with.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// The new model's version. Without it, the first model's with the day.
    #[arg(long, value_name = "TEXT")]
    model_version: Option<String>,
    /// What the extracts are, in words, for whoever opens the file.
    #[arg(long, value_name = "WORDS", default_value = "a council's extracts")]
    data: String,
}

/// Names on fewer records than this could point at a person.
const LEAST_FEWEST: usize = 10;

fn fewest(text: &str) -> Result<usize, String> {
    let fewest: usize = text.parse().map_err(|_| "write a number".to_owned())?;
    if fewest < LEAST_FEWEST {
        return Err(format!("a name on fewer than {LEAST_FEWEST} records could point at a person"));
    }
    Ok(fewest)
}

fn field(text: &str) -> Result<Field, String> {
    let known = "write one of forename, surname, birth, address, sex, nhs_number, upn, contact";
    serde_json::from_value(text.into()).map_err(|_| known.to_owned())
}

impl Train {
    /// Trains, and says on `out` what was learnt from what.
    ///
    /// # Errors
    /// When definitions or files cannot be used, or say too little.
    pub fn run(&self, today: Date, out: &mut impl Write) -> Result<(), OperatorError> {
        let definitions = definitions::load(self.sources.as_deref())?;
        let stdout = file_error(Path::new("standard output"));
        let mut steps = Steps::begin("preparing");
        let start = match &self.model {
            Some(file) => model_file(file)?,
            None => ModelFile::shipped(),
        };
        let records = read(&definitions, &self.extracts, today, &mut steps, out)?;
        steps.next("training");
        let training = Training {
            random_pairs: self.random_pairs,
            seed: self.seed,
            fewest_of_a_name: (!self.keep_names).then_some(self.fewest_of_a_name),
            keep: self.keep.clone(),
            version: self.model_version.clone().unwrap_or_else(|| format!("{} of {today}", start.version)),
            data: self.data.clone(),
            date: today.to_string(),
            command: self.command(),
            ..Training::default()
        };
        let mut file =
            train(&start, &records, &training).map_err(|error| OperatorError::Training(error.to_string()))?;
        if let Some(known) = &self.truth {
            steps.next("calibrating");
            let truth = truth(known, &records)?;
            write!(out, "{}", truth.told(records.len())).map_err(&stdout)?;
            let unusable = |error: fc_linkage::InvalidModel| OperatorError::Training(error.to_string());
            file = calibrate(&file, &records, &truth.people).map_err(unusable)?;
        }
        std::fs::write(&self.out, file.to_string()).map_err(file_error(&self.out))?;
        if let Some(provenance) = &file.provenance {
            writeln!(out, "{:<40}{:>10}{:>14}{:>14}", "pairs that share", "pairs", "one person", "one family")
                .map_err(&stdout)?;
            for session in &provenance.sessions {
                let (one, family) = (session.one_person, session.family);
                writeln!(out, "{:<40}{:>10}{one:>14.3}{family:>14.3}", session.blocked_on, session.pairs)
                    .map_err(&stdout)?;
            }
            let (records, rounds) = (provenance.records, provenance.rounds);
            writeln!(
                out,
                "{records} records, {rounds} rounds. A record has {} more of its person, on average.",
                file.matches_a_record
            )
            .map_err(&stdout)?;
        }
        let names = [&file.surnames, &file.forenames]
            .map(|tiers| tiers.iter().map(|(_, names)| names.split_whitespace().count()).sum::<usize>());
        writeln!(out, "{} surnames and {} forenames are listed by how common they are.", names[0], names[1])
            .map_err(&stdout)?;
        writeln!(out, "Model {} is in {}. {}", file.version, self.out.display(), steps.end()).map_err(&stdout)
    }

    /// The command that repeats this training: what matters of it, with files by name only.
    fn command(&self) -> String {
        let mut words = vec!["family-context train".to_owned()];
        words.extend(self.keep.iter().map(|field| {
            let name = serde_json::to_value(field).ok();
            format!("--keep {}", name.as_ref().and_then(|name| name.as_str()).unwrap_or_default())
        }));
        if self.keep_names {
            words.push("--keep-names".to_owned());
        }
        let named = |file: &Path| file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for (option, file) in [("--truth", &self.truth), ("--model", &self.model), ("--sources", &self.sources)] {
            words.extend(file.iter().map(|file| format!("{option} {}", named(file))));
        }
        words.push(format!("--seed {} --random-pairs {}", self.seed, self.random_pairs));
        words.push(format!("--fewest-of-a-name {}", self.fewest_of_a_name));
        words.extend(self.extracts.iter().map(|extract| format!("{}={}", extract.feed, named(&extract.file))));
        words.join(" ")
    }
}
