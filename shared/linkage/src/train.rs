//! Training: the weights of a model, estimated from records whose truth nobody knows.
//!
//! What strangers have in common (u) is counted on pairs drawn at random. What one person's records have in common (m),
//! and what relatives have, is estimated by expectation-maximisation over pairs from several *blocked sessions*: each
//! holds the pairs that agree on one kind of key, and says nothing of the fields which that key fixes. A pair is of one
//! person, of relatives, or of strangers; the three shares are a session's own, the rows are common to all sessions.
//!
//! Records are taken in the order of their ids and counts are whole numbers, so the order they come in changes nothing.

use crate::{
    Curve, Field, InvalidModel, Level, Model, ModelFile, Proof, Subject,
    block::Sounds,
    compare::{ALL_FIELDS, Agreement, FIELDS, agreement},
    file::{Provenance, Session},
    link::candidates,
    rows::{LEVELS, NEUTRAL, REACHED, Row, Rows, Shares, forenames_agree},
};
use fc_model::nicknames;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// What training draws, and when it stops.
#[derive(Debug, Clone)]
pub struct Training {
    /// Pairs drawn at random, for what strangers have in common.
    pub random_pairs: usize,
    /// What they are drawn with.
    pub seed: u64,
    /// The most rounds of expectation-maximisation.
    pub most_rounds: usize,
    /// The rows that training starts from count as much as so many pairs. With few, a level hardly ever seen keeps its
    /// worth; with many, what is known already outweighs what these records happen to show.
    pub start_counts: f64,
    /// A name is listed with its frequency from so many records; rarer ones stay out, so that the file names nobody.
    /// Without it the frequencies of the model that training starts from are kept.
    pub fewest_of_a_name: Option<usize>,
    /// Fields that keep the rows which training starts from: those of which the records are known to tell a falsehood.
    pub keep: Vec<Field>,
    /// The new model's version.
    pub version: String,
    /// What the records are, in words.
    pub data: String,
    /// The day of training.
    pub date: String,
    /// The command that repeats it.
    pub command: String,
}

impl Default for Training {
    fn default() -> Self {
        Self {
            random_pairs: 1_000_000,
            seed: 1,
            most_rounds: 2_000,
            start_counts: 50.0,
            fewest_of_a_name: Some(FEWEST_OF_A_NAME),
            keep: Vec::new(),
            version: "untitled".into(),
            data: String::new(),
            date: String::new(),
            command: String::new(),
        }
    }
}

/// Records that a name must be on to be listed. A person has at most a few records, a family a few more.
pub const FEWEST_OF_A_NAME: usize = 30;

/// Why nothing could be learnt.
#[derive(Debug, thiserror::Error)]
pub enum Untrainable {
    /// Too few records.
    #[error(
        "{given} records are too few to train on; it takes at least {FEWEST_RECORDS}. Use the model that comes with the tool."
    )]
    Records {
        /// How many there were.
        given: usize,
    },
    /// Too few pairs that are one person.
    #[error(
        "only about {found} pairs look like one person; training takes at least {FEWEST_MATCHES}. Give extracts of more \
         than one source, or use the model that comes with the tool."
    )]
    Matches {
        /// About how many there were.
        found: usize,
    },
    /// The model to start from cannot be used.
    #[error(transparent)]
    Start(#[from] InvalidModel),
}

/// Of fewer records nothing is concluded.
pub const FEWEST_RECORDS: usize = 1_000;
/// Nor of fewer pairs that look like one person.
pub const FEWEST_MATCHES: usize = 200;

/// No share changes by more than this from round to round at the end.
const SETTLED: f64 = 1e-5;
/// Rounds in which the number of matches settles.
const PRIOR_ROUNDS: usize = 20;
/// What strangers have in common depends a little on who is taken for one, so it is counted again with better rows.
const PASSES: usize = 3;

/// Estimates a model from records without labels, starting from another.
///
/// # Errors
/// When there is too little to learn from.
pub fn train(start: &ModelFile, records: &[Subject], training: &Training) -> Result<ModelFile, Untrainable> {
    if records.len() < FEWEST_RECORDS {
        return Err(Untrainable::Records { given: records.len() });
    }
    let mut sorted: Vec<&Subject> = records.iter().collect();
    sorted.sort_by(|a, b| a.record.cmp(&b.record));
    let mut file = start.clone();
    if let Some(fewest) = training.fewest_of_a_name {
        count_names(&mut file, &sorted, fewest);
    }
    let model = Model::of(&file)?;
    let random = random_pairs(sorted.len(), training);
    let random = Seen { blocked_on: "nothing", fixed: &[], vectors: vectors(&model, &sorted, &random) };
    let mut all = Vec::new();
    let sessions: Vec<Seen<'_>> = SESSIONS
        .into_iter()
        .map(|(blocked_on, fixed, keys)| {
            let pairs = pairs(&model, &sorted, keys);
            let vectors = vectors(&model, &sorted, &pairs);
            all.extend(pairs);
            Seen { blocked_on, fixed, vectors }
        })
        .collect();
    all.par_sort_unstable();
    all.dedup();

    let mut rows = Rows::as_written(&file)?;
    let estimation = Estimation {
        start: &rows.clone(),
        keep: &training.keep,
        most_rounds: training.most_rounds,
        start_counts: training.start_counts,
    };
    let chance = 1.0 / sorted.len() as f64;
    let at_random = Classes { one_person: file.matches_a_record * chance, family: file.family_a_record * chance };
    let mut fitted = Fitted { rows: rows.clone(), classes: Vec::new(), rounds: 0, log_likelihood: 0.0 };
    for _ in 0..PASSES {
        rows = fitted.rows;
        estimation.strangers(&mut rows, &random, at_random);
        let rounds = fitted.rounds;
        fitted = estimation.maximise(rows, &sessions);
        fitted.rounds += rounds;
    }
    let found = fitted.matches(&sessions);
    if found < FEWEST_MATCHES as f64 {
        return Err(Untrainable::Matches { found: found as usize });
    }
    if !training.keep.contains(&Field::Address) {
        fitted.rows.order_addresses();
    }
    write_rows(&mut file, &fitted.rows);
    let (matches, family) = a_record(&file, &vectors(&model, &sorted, &all), sorted.len())?;
    file.prior = to_thousandths(file.prior + (matches / file.matches_a_record).log2());
    file.family_share = significant(file.family_share * family / file.family_a_record);
    (file.matches_a_record, file.family_a_record) = (matches, family);
    file.version.clone_from(&training.version);
    TRAINED.clone_into(&mut file.about);
    file.provenance = Some(Provenance {
        started_from: start.version.clone(),
        data: training.data.clone(),
        date: training.date.clone(),
        command: training.command.clone(),
        records: sorted.len(),
        random_pairs: training.random_pairs,
        seed: training.seed,
        rounds: fitted.rounds,
        log_likelihood: fitted.log_likelihood.round(),
        sessions: sessions
            .iter()
            .zip(&fitted.classes)
            .map(|(session, classes)| Session {
                blocked_on: session.blocked_on.to_owned(),
                pairs: session.vectors.values().sum(),
                one_person: to_thousandths(classes.one_person),
                family: to_thousandths(classes.family),
            })
            .collect(),
    });
    Ok(file)
}

/// The same model with curves that say what its weights turned out to be worth, on records of which some are known for
/// who they are: for each what its person is called, or `None`. Pairs of others say nothing.
///
/// # Errors
/// When the model cannot be used.
pub fn calibrate<T: PartialEq + Sync>(
    file: &ModelFile,
    records: &[Subject],
    truth: &[Option<T>],
) -> Result<ModelFile, InvalidModel> {
    let mut file = ModelFile { calibration: BTreeMap::new(), ..file.clone() };
    let model = Model::of(&file)?.suited_to(records);
    let seen = |(a, b): &(u32, u32)| {
        let (a, b) = (*a as usize, *b as usize);
        let is_one = truth[a].as_ref().zip(truth[b].as_ref()).map(|(a, b)| a == b)?;
        let comparison = model.compare(&records[a].standard, &records[b].standard);
        let weighed = comparison.weight.bits() - comparison.calibration.bits();
        Some((comparison.proof, (weighed, is_one)))
    };
    let seen: Vec<_> = candidates(&model, records).0.par_iter().filter_map(seen).collect();
    for proof in [Proof::Weighed, Proof::NameAlone, Proof::Relatives, Proof::OneSource, Proof::Denied] {
        let of: Vec<(f64, bool)> = seen.iter().filter(|(of, _)| *of == proof).map(|(_, seen)| *seen).collect();
        file.calibration.insert(proof, Curve::fit(&of));
    }
    Ok(file)
}

/// What a trained model says of itself.
const TRAINED: &str = "Fellegi-Sunter weights for council records. Each level: how often it is reached by one person's two \
                       records (m), by strangers (u), and by two members of one family. Estimated without labels from the \
                       records that the provenance tells of. Rows of fields that were kept, thresholds, and how common names \
                       are if none were counted, are those of the model it started from.";

type Keys = fn(&Subject, &Sounds) -> Vec<String>;

/// What each session's pairs have in common, and the fields of which that leaves nothing to learn.
const SESSIONS: [(&str, &[Field], Keys); 5] = [
    ("birth date and sound of a forename", &[Field::Birth, Field::Forename], |subject, sounds| {
        with_birth(subject, &sounds.forenames)
    }),
    ("birth date and sound of a surname", &[Field::Birth, Field::Surname], |subject, sounds| {
        with_birth(subject, &sounds.surnames)
    }),
    ("sounds of forename and surname", &[Field::Forename, Field::Surname], |_, sounds| {
        let first = |names: &[String]| names.first().cloned();
        let both = first(&sounds.forenames).zip(first(&sounds.surnames));
        both.map(|(forename, surname)| format!("{forename}#{surname}")).into_iter().collect()
    }),
    ("home", &[Field::Address], |subject, _| {
        subject.standard.homes.iter().filter_map(crate::address::Home::premise).take(2).collect()
    }),
    ("NHS or pupil number", &[Field::NhsNumber, Field::Upn], |subject, _| {
        let nhs = subject.standard.nhs_number.iter().map(|number| format!("n{}", number.as_str()));
        nhs.chain(subject.standard.upn.iter().map(|number| format!("u{}", number.as_str()))).collect()
    }),
];

fn with_birth(subject: &Subject, sounds: &[String]) -> Vec<String> {
    let birth = subject.standard.birth.and_then(|birth| birth.whole()).filter(|_| !subject.standard.expected);
    birth.map_or(Vec::new(), |birth| sounds.iter().map(|sound| format!("{birth}#{sound}")).collect())
}

/// Pairs that share a key which is not saturated, each once.
fn pairs(model: &Model, records: &[&Subject], keys: Keys) -> Vec<(usize, usize)> {
    let mut filed: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, subject) in records.iter().enumerate() {
        for key in keys(subject, &Sounds::of(&subject.standard)) {
            filed.entry(key).or_default().push(at);
        }
    }
    let mut pairs: Vec<(usize, usize)> = filed
        .into_values()
        .filter(|group| group.len() <= model.saturation())
        .flat_map(|group| {
            let of = |(place, a): (usize, &usize)| group[..place].iter().map(|b| (*b, *a)).collect::<Vec<_>>();
            group.iter().enumerate().flat_map(of).collect::<Vec<_>>()
        })
        .filter(|(a, b)| a != b)
        .collect();
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

fn random_pairs(records: usize, training: &Training) -> Vec<(usize, usize)> {
    let mut state = training.seed;
    let mut below = |limit: usize| {
        // SplitMix64: the same pairs on every machine.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit as u64) as usize
    };
    (0..training.random_pairs).map(|_| (below(records), below(records))).filter(|(a, b)| a != b).collect()
}

/// A pair in all that weighing knows of it: its levels, and how common the names are that it shares, as bits.
type Vector = ([Level; FIELDS], u64, u64);

/// How often each kind of pair was seen.
fn vectors(model: &Model, records: &[&Subject], pairs: &[(usize, usize)]) -> BTreeMap<Vector, u64> {
    let add = |mut counts: BTreeMap<Vector, u64>, (vector, count): (Vector, u64)| {
        *counts.entry(vector).or_default() += count;
        counts
    };
    pairs
        .par_iter()
        .map(|(a, b)| {
            let Agreement { levels, forename, surname } =
                agreement(model, &records[*a].standard, &records[*b].standard);
            let shares = model.shares(forename, surname);
            (levels, shares.forename.to_bits(), shares.surname.to_bits())
        })
        .fold(BTreeMap::new, |counts, vector| add(counts, (vector, 1)))
        .reduce(BTreeMap::new, |one, other| other.into_iter().fold(one, add))
}

/// The pairs of one session.
struct Seen<'a> {
    blocked_on: &'static str,
    fixed: &'a [Field],
    vectors: BTreeMap<Vector, u64>,
}

/// Shares of pairs; the rest are strangers.
#[derive(Debug, Clone, Copy)]
struct Classes {
    one_person: f64,
    family: f64,
}

/// Where a field's level is counted: with sex apart where forenames agree, and not at all where it says nothing.
#[derive(Clone, Copy, PartialEq)]
enum Counted {
    Field,
    SexApart,
    /// Seen, at no level that means anything: a contact that is not shared.
    Unshared,
    No,
}

fn counted(field: Field, levels: &[Level; FIELDS]) -> Counted {
    match (field, levels[field as usize]) {
        (Field::Contact, Level::Missing) => Counted::Unshared,
        (_, Level::Missing) => Counted::No,
        // Swapped names are counted once, as the forename. What part of a date is known is not a matter of who it is.
        (Field::Surname, Level::Swapped) | (Field::Birth, Level::Partial | Level::FirstOfJanuary | Level::Expected) => {
            Counted::No
        }
        (Field::Surname, _) if levels[Field::Birth as usize] == Level::Expected => Counted::No,
        (Field::Sex, _) if forenames_agree(levels) => Counted::SexApart,
        _ => Counted::Field,
    }
}

/// Expected counts of levels.
#[derive(Clone)]
struct Tally {
    fields: [[f64; LEVELS]; FIELDS],
    sex_apart: [f64; LEVELS],
}

impl Tally {
    fn new() -> Self {
        Self { fields: [[0.0; LEVELS]; FIELDS], sex_apart: [0.0; LEVELS] }
    }

    fn add(&mut self, field: Field, levels: &[Level; FIELDS], count: f64) {
        let level = levels[field as usize] as usize;
        match counted(field, levels) {
            Counted::Field | Counted::Unshared => self.fields[field as usize][level] += count,
            Counted::SexApart => self.sex_apart[level] += count,
            Counted::No => {}
        }
    }
}

/// How likely each class is for a pair: one person, family, strangers, not normalised.
fn likelihoods(rows: &Rows, (levels, forename, surname): &Vector, fixed: &[Field], classes: Classes) -> [f64; 3] {
    let shares = Shares { forename: f64::from_bits(*forename), surname: f64::from_bits(*surname) };
    let Classes { one_person, family } = classes;
    let mut likely = [one_person, family, (1.0 - one_person - family).max(0.0)];
    for field in ALL_FIELDS.into_iter().filter(|field| !fixed.contains(field)) {
        let row = rows.row(field, levels[field as usize], levels, shares);
        likely[0] *= row.one_person;
        likely[1] *= row.family;
        likely[2] *= row.strangers;
    }
    likely
}

/// What came of maximising.
struct Fitted {
    rows: Rows,
    classes: Vec<Classes>,
    rounds: usize,
    log_likelihood: f64,
}

impl Fitted {
    /// About how many pairs are of one person, in the session that has most of them.
    fn matches(&self, sessions: &[Seen<'_>]) -> f64 {
        let of = |(session, classes): (&Seen<'_>, &Classes)| {
            session.vectors.values().sum::<u64>() as f64 * classes.one_person
        };
        sessions.iter().zip(&self.classes).map(of).fold(0.0, f64::max)
    }
}

/// What is estimated, from where, and for how long at most.
struct Estimation<'a> {
    start: &'a Rows,
    keep: &'a [Field],
    most_rounds: usize,
    start_counts: f64,
}

impl Estimation<'_> {
    /// Counts what strangers have in common, among pairs drawn at random that are likely strangers.
    fn strangers(&self, rows: &mut Rows, random: &Seen<'_>, classes: Classes) {
        let mut tally = Tally::new();
        for (vector, count) in &random.vectors {
            let likely = likelihoods(rows, vector, random.fixed, classes);
            let share = likely[2] / likely.iter().sum::<f64>();
            for field in self.learnt(&[]) {
                tally.add(field, &vector.0, share * *count as f64);
            }
        }
        for (row, (count, of), given) in rows.each(self.start, &tally) {
            // As if the start had been seen once: enough for what is too rare to be seen, nothing for what is not.
            row.strangers = share(count + 1.0, of + 1.0 / given.strangers);
        }
    }

    /// Expectation-maximisation: who is who given the rows, the rows given who is who, until neither changes.
    fn maximise(&self, mut rows: Rows, sessions: &[Seen<'_>]) -> Fitted {
        let mut classes = vec![Classes { one_person: 0.3, family: 0.3 }; sessions.len()];
        let (mut rounds, mut log_likelihood) = (0, 0.0);
        while rounds < self.most_rounds {
            rounds += 1;
            let (mut one, mut family) = (Tally::new(), Tally::new());
            log_likelihood = 0.0;
            for (session, classes) in sessions.iter().zip(&mut classes) {
                let mut totals = [0.0; 3];
                for (vector, count) in &session.vectors {
                    let likely = likelihoods(&rows, vector, session.fixed, *classes);
                    let sum: f64 = likely.iter().sum();
                    if sum <= 0.0 {
                        continue;
                    }
                    let count = *count as f64;
                    log_likelihood += count * sum.ln();
                    let share = likely.map(|likely| count * likely / sum);
                    totals = std::array::from_fn(|class| totals[class] + share[class]);
                    for field in self.learnt(session.fixed) {
                        one.add(field, &vector.0, share[0]);
                        family.add(field, &vector.0, share[1] * named_after(&rows, field, vector));
                    }
                }
                let all: f64 = totals.iter().sum();
                if all > 0.0 {
                    *classes = Classes { one_person: totals[0] / all, family: totals[1] / all };
                }
            }
            let before = rows.clone();
            for (row, (count, of), given) in rows.each(self.start, &one) {
                row.one_person = share(count + self.start_counts * given.one_person, of + self.start_counts);
            }
            for (row, (count, of), given) in rows.each(self.start, &family) {
                row.family = share(count + self.start_counts * given.family, of + self.start_counts);
            }
            if rows.farthest(&before) < SETTLED {
                break;
            }
        }
        Fitted { rows, classes, rounds, log_likelihood }
    }

    /// Fields that are learnt where these are fixed.
    fn learnt(&self, fixed: &[Field]) -> impl Iterator<Item = Field> {
        ALL_FIELDS.into_iter().filter(|field| !self.keep.contains(field) && !fixed.contains(field))
    }
}

/// Of relatives with one forename, the share that is named after the other; the rest share a common name by chance.
fn named_after(rows: &Rows, field: Field, (levels, forename, _): &Vector) -> f64 {
    if field != Field::Forename || levels[field as usize] != Level::Same {
        return 1.0;
    }
    let named_after = rows.fields[field as usize][Level::Same as usize].family;
    named_after / (named_after + f64::from_bits(*forename))
}

fn share(count: f64, of: f64) -> f64 {
    (count / of).clamp(1e-9, 1.0)
}

/// A row that is estimated, how often its level was seen, of how many pairs, and the row that training started from.
type Estimate<'a> = (&'a mut Row, (f64, f64), Row);

impl Rows {
    fn each<'a>(&'a mut self, start: &'a Rows, tally: &'a Tally) -> impl Iterator<Item = Estimate<'a>> {
        let fields = ALL_FIELDS.into_iter().zip(&mut self.fields).flat_map(move |(field, rows)| {
            let (seen, start) = (&tally.fields[field as usize], &start.fields[field as usize]);
            let estimated = move |level: usize| {
                let mut levels = [Level::Missing; FIELDS];
                let found = REACHED[field as usize].1.iter().find(|reached| **reached as usize == level);
                found.is_some_and(|level| {
                    levels[field as usize] = *level;
                    counted(field, &levels) != Counted::No
                })
            };
            estimates(rows, seen, start).filter(move |(level, _)| estimated(*level)).map(|(_, estimate)| estimate)
        });
        let apart = estimates(&mut self.sex_when_forenames_agree, &tally.sex_apart, &start.sex_when_forenames_agree);
        fields.chain(apart.filter(|(_, (_, _, start))| *start != NEUTRAL).map(|(_, estimate)| estimate))
    }

    /// The most that any share differs.
    fn farthest(&self, other: &Self) -> f64 {
        let all = |rows: &Self| rows.fields.iter().flatten().chain(&rows.sex_when_forenames_agree).copied().collect();
        let (one, other): (Vec<Row>, Vec<Row>) = (all(self), all(other));
        let apart = |(a, b): (&Row, &Row)| (a.one_person - b.one_person).abs().max((a.family - b.family).abs());
        one.iter().zip(&other).map(apart).fold(0.0, f64::max)
    }

    /// Sees to it that a nearer address never weighs less, where few pairs happened to say otherwise.
    fn order_addresses(&mut self) {
        let (field, levels) = REACHED[Field::Address as usize];
        let rows = &mut self.fields[field as usize];
        order(rows, levels, |row| &mut row.strangers);
        order(rows, levels, |row| &mut row.family);
    }
}

/// Pools neighbouring levels until the odds fall from the best to the worst: what statisticians call isotonic
/// regression.
fn order(rows: &mut [Row; LEVELS], levels: &[Level], of: fn(&mut Row) -> &mut f64) {
    let mut pools: Vec<(f64, f64, Vec<Level>)> = Vec::new();
    for level in levels {
        let row = &mut rows[*level as usize];
        pools.push((row.one_person, *of(row), vec![*level]));
        while let [.., (m, u, _), (next_m, next_u, _)] = &pools[..]
            && m / u < next_m / next_u
            && let Some((m, u, pooled)) = pools.pop()
            && let Some(last) = pools.last_mut()
        {
            last.0 += m;
            last.1 += u;
            last.2.extend(pooled);
        }
    }
    for (m, u, pooled) in pools.iter().filter(|(_, _, pooled)| pooled.len() > 1) {
        for level in pooled {
            let row = &mut rows[*level as usize];
            *of(row) = (row.one_person * u / m).min(1.0);
        }
    }
}

fn estimates<'a>(
    rows: &'a mut [Row; LEVELS],
    seen: &'a [f64; LEVELS],
    start: &'a [Row; LEVELS],
) -> impl Iterator<Item = (usize, Estimate<'a>)> {
    let of: f64 = seen.iter().sum();
    let each = rows.iter_mut().zip(seen).zip(start).enumerate();
    each.map(move |(level, ((row, count), start))| (level, (row, (*count, of), *start)))
}

/// Counts how common names are, and lists those that many records have.
fn count_names(file: &mut ModelFile, records: &[&Subject], fewest: usize) {
    let first = |subject: &&Subject| subject.standard.names.first().cloned();
    let names: Vec<_> = records.iter().filter_map(first).collect();
    let forenames = names.iter().filter_map(|name| name.forenames.first()).filter(|name| name.chars().count() > 1);
    (file.forenames, file.rare_forename) = tiers(forenames.map(|name| nicknames::root(name).to_owned()), fewest);
    (file.surnames, file.rare_surname) = tiers(names.iter().flat_map(|name| name.surnames.iter().cloned()), fewest);
}

/// Names by share, commonest first, and the share of the others: how likely it is that another one is the same.
fn tiers(names: impl Iterator<Item = String>, fewest: usize) -> (Vec<(f64, String)>, f64) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    let all = counts.values().sum::<usize>().max(1) as f64;
    let (mut listed, mut rare, mut squares): (Vec<(f64, &str)>, _, _) = (Vec::new(), 0.0, 0.0);
    for (name, count) in &counts {
        if *count >= fewest {
            // Rounded: names about as common stand together, and no count can be read off.
            listed.push((rounded(*count as f64 / all), name));
        } else {
            rare += *count as f64;
            squares += (count * count) as f64;
        }
    }
    listed.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let mut tiers: Vec<(f64, String)> = Vec::new();
    for (share, name) in listed {
        match tiers.last_mut().filter(|tier| (tier.0 - share).abs() < f64::EPSILON) {
            Some(tier) => tier.1 = format!("{} {name}", tier.1),
            None => tiers.push((share, name.to_owned())),
        }
    }
    let rare = if rare > 0.0 { squares / rare / all } else { 1.0 / all };
    (tiers, significant(rare))
}

fn write_rows(file: &mut ModelFile, rows: &Rows) {
    let shares = |row: &Row| [row.one_person, row.strangers, row.family].map(significant);
    for (field, levels) in REACHED {
        for level in levels {
            let row = &rows.fields[field as usize][*level as usize];
            file.levels.entry(field).or_default().insert(*level, shares(row));
        }
    }
    for level in [Level::Same, Level::Differ] {
        file.sex_when_forenames_agree.insert(level, shares(&rows.sex_when_forenames_agree[level as usize]));
    }
}

/// To a thousandth.
fn to_thousandths(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

/// Two significant digits.
fn rounded(share: f64) -> f64 {
    format!("{share:.1e}").parse().unwrap_or(share)
}

/// Three significant digits: more would claim what nobody knows.
fn significant(share: f64) -> f64 {
    format!("{share:.2e}").parse().unwrap_or(share)
}

/// How many matches, and how many other people of its home, a record has, by the model itself: of all pairs that some
/// session holds, the share that the rows take for either, given that share.
fn a_record(file: &ModelFile, seen: &BTreeMap<Vector, u64>, records: usize) -> Result<(f64, f64), InvalidModel> {
    let rows = Rows::of(file)?;
    let (mut matches, mut family) = (file.matches_a_record, file.family_a_record);
    let records = records as f64;
    for _ in 0..PRIOR_ROUNDS {
        let classes = Classes { one_person: matches / records, family: family / records };
        let (mut one, mut related) = (0.0, 0.0);
        for (vector, count) in seen {
            let likely = likelihoods(&rows, vector, &[], classes);
            let sum: f64 = likely.iter().sum();
            if sum > 0.0 {
                one += *count as f64 * likely[0] / sum;
                related += *count as f64 * likely[1] / sum;
            }
        }
        (matches, family) = (2.0 * one / records, 2.0 * related / records);
    }
    Ok((significant(matches), significant(family)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers spread over 0 to 1, the same every time.
    struct Chance(u64);

    impl Chance {
        fn next(&mut self) -> f64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) as f64 / f64::from(1u32 << 31)
        }

        /// One of the levels, each as often as its share says; the last when nothing is left.
        fn level(&mut self, shares: &[(Level, f64)]) -> Level {
            let mut at = self.next();
            for (level, share) in shares {
                if at < *share {
                    return *level;
                }
                at -= share;
            }
            shares.last().map_or(Level::Missing, |(level, _)| *level)
        }
    }

    const RARE: f64 = 0.001;
    const FORENAME: [[(Level, f64); 3]; 3] = [
        [(Level::Same, 0.8), (Level::Close, 0.15), (Level::Differ, 0.05)],
        [(Level::Same, 0.01 + RARE), (Level::Close, 0.02), (Level::Differ, 0.969)],
        [(Level::Same, RARE), (Level::Close, 0.004), (Level::Differ, 0.995)],
    ];
    const SURNAME: [[(Level, f64); 3]; 3] = [
        [(Level::Same, 0.85), (Level::Close, 0.1), (Level::Differ, 0.05)],
        [(Level::Same, 0.6), (Level::Close, 0.05), (Level::Differ, 0.35)],
        [(Level::Same, RARE), (Level::Close, 0.004), (Level::Differ, 0.995)],
    ];
    const BIRTH: [[(Level, f64); 3]; 3] = [
        [(Level::Same, 0.9), (Level::Close, 0.07), (Level::Differ, 0.03)],
        [(Level::Same, 0.05), (Level::Close, 0.01), (Level::Differ, 0.94)],
        [(Level::Same, 0.0002), (Level::Close, 0.002), (Level::Differ, 0.9978)],
    ];

    /// Pairs drawn from what is planted: so many of one person, of a family, of strangers.
    fn planted(fixed: &'static [Field], pairs: [usize; 3], seed: u64) -> Seen<'static> {
        let mut chance = Chance(seed);
        let mut vectors = BTreeMap::new();
        for (class, pairs) in pairs.into_iter().enumerate() {
            for _ in 0..pairs {
                let mut levels = [Level::Missing; FIELDS];
                levels[Field::Forename as usize] = chance.level(&FORENAME[class]);
                levels[Field::Surname as usize] = chance.level(&SURNAME[class]);
                levels[Field::Birth as usize] = chance.level(&BIRTH[class]);
                for field in fixed {
                    levels[*field as usize] = Level::Same;
                }
                *vectors.entry((levels, RARE.to_bits(), RARE.to_bits())).or_default() += 1;
            }
        }
        Seen { blocked_on: "what was planted", fixed, vectors }
    }

    #[test]
    fn what_was_planted_is_recovered_without_being_told_who_is_who() {
        let sessions = [
            planted(&[Field::Birth], [30_000, 5_000, 20_000], 1),
            planted(&[Field::Surname], [30_000, 20_000, 10_000], 2),
            planted(&[], [20_000, 30_000, 30_000], 3),
        ];
        let mut rows = Rows::as_written(&ModelFile::shipped()).unwrap();
        let start = rows.clone();
        let estimation = Estimation { start: &start, keep: &[], most_rounds: 2_000, start_counts: 1.0 };
        let random = planted(&[], [0, 0, 400_000], 4);
        estimation.strangers(&mut rows, &random, Classes { one_person: 1e-6, family: 1e-6 });
        let fitted = estimation.maximise(rows, &sessions);
        for (field, planted) in [(Field::Forename, FORENAME), (Field::Surname, SURNAME), (Field::Birth, BIRTH)] {
            for (at, (level, m)) in planted[0].into_iter().enumerate() {
                let row = fitted.rows.fields[field as usize][level as usize];
                assert!((row.one_person - m).abs() < 0.02, "{field:?} {level:?}: m {} for {m}", row.one_person);
                // The forename of relatives is counted without those who share it by chance.
                let by_chance = if (field, level) == (Field::Forename, Level::Same) { RARE } else { 0.0 };
                let family = planted[1][at].1 - by_chance;
                assert!((row.family - family).abs() < 0.05, "{field:?} {level:?}: {} for {family}", row.family);
                let u = planted[2][at].1;
                assert!((row.strangers - u).abs() < 0.1 * u + 1e-4, "{field:?} {level:?}: u {} for {u}", row.strangers);
            }
        }
        let shares: Vec<f64> = fitted.classes.iter().map(|classes| classes.one_person).collect();
        for (found, planted) in shares.iter().zip([30.0 / 55.0, 0.5, 0.25]) {
            assert!((found - planted).abs() < 0.02, "{found} for {planted}");
        }
    }

    #[test]
    fn addresses_are_put_in_order_where_few_pairs_say_otherwise() {
        let mut rows = Rows::as_written(&ModelFile::shipped()).unwrap();
        let address = &mut rows.fields[Field::Address as usize];
        address[Level::Postcode as usize] = Row { one_person: 0.0001, strangers: 0.01, family: 0.02 };
        address[Level::Differ as usize] = Row { one_person: 0.1, strangers: 0.98, family: 0.2 };
        rows.order_addresses();
        let odds = |level: Level| {
            let row = rows.fields[Field::Address as usize][level as usize];
            (row.one_person / row.strangers, row.one_person / row.family)
        };
        let (postcode, elsewhere) = (odds(Level::Postcode), odds(Level::Differ));
        assert!(postcode.0 >= elsewhere.0 - 1e-9 && postcode.1 >= elsewhere.1 - 1e-9, "{postcode:?}, {elsewhere:?}");
        assert!((elsewhere.1 - 0.1 / 0.2).abs() < 0.05, "what many pairs say is kept: {}", elsewhere.1);
    }
}
