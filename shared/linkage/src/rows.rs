//! Rows: how often each level of a field is reached by one person's two records, by strangers and by relatives.

use crate::{Field, InvalidModel, Level, ModelFile, compare::FIELDS};

/// How often one person, strangers and members of one family reach a level: m, u, and u within a family.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Row {
    pub(crate) one_person: f64,
    pub(crate) strangers: f64,
    pub(crate) family: f64,
}

/// Says nothing for or against.
pub(crate) const NEUTRAL: Row = Row { one_person: 1.0, strangers: 1.0, family: 1.0 };

/// How many levels there are.
pub(crate) const LEVELS: usize = 13;

/// The levels that each field reaches, best first; `Missing` is worth nothing everywhere.
pub(crate) const REACHED: [(Field, &[Level]); FIELDS] = [
    (
        Field::Forename,
        &[Level::Same, Level::Nickname, Level::Shared, Level::Close, Level::Initial, Level::Swapped, Level::Differ],
    ),
    (Field::Surname, &[Level::Same, Level::Shared, Level::Close, Level::Swapped, Level::Differ]),
    (
        Field::Birth,
        &[
            Level::Same,
            Level::Shared,
            Level::Close,
            Level::Swapped,
            Level::Partial,
            Level::FirstOfJanuary,
            Level::Expected,
            Level::Differ,
        ],
    ),
    (Field::Address, &[Level::Same, Level::Close, Level::Building, Level::Postcode, Level::Differ]),
    (Field::Sex, &[Level::Same, Level::Differ]),
    (Field::NhsNumber, &[Level::Same, Level::Close, Level::Differ]),
    (Field::Upn, &[Level::Same, Level::Close, Level::Differ]),
    (Field::Contact, &[Level::Same]),
];

/// How common the names are that two records share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Shares {
    pub(crate) forename: f64,
    pub(crate) surname: f64,
}

/// The rows of a model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rows {
    pub(crate) fields: [[Row; LEVELS]; FIELDS],
    /// Whether people are of one sex is half said already by a forename that agrees.
    pub(crate) sex_when_forenames_agree: [Row; LEVELS],
    /// The most that strangers and relatives may share the very same forename and surname, however common it is: less
    /// agreement would weigh more otherwise.
    most_same: [(f64, f64); 2],
}

impl Rows {
    /// Reads them from a file, and sees to it that nothing weighs more than the very same.
    pub(crate) fn of(file: &ModelFile) -> Result<Self, InvalidModel> {
        let mut rows = Self::as_written(file)?;
        for (field, levels) in REACHED {
            if matches!(field, Field::Forename | Field::Surname) {
                rows.most_same[field as usize] = rows.most_same(field, levels);
                continue;
            }
            let own = &mut rows.fields[field as usize];
            let same = own[Level::Same as usize];
            for level in levels {
                let row = &mut own[*level as usize];
                row.strangers = row.strangers.max(row.one_person * same.strangers / same.one_person);
                row.family = row.family.max(row.one_person * same.family / same.one_person);
            }
        }
        Ok(rows)
    }

    /// Reads them from a file as they stand there.
    pub(crate) fn as_written(file: &ModelFile) -> Result<Self, InvalidModel> {
        let mut rows = Self {
            fields: [[NEUTRAL; LEVELS]; FIELDS],
            sex_when_forenames_agree: [NEUTRAL; LEVELS],
            most_same: [(1.0, 1.0); 2],
        };
        for (field, levels) in REACHED {
            for level in levels {
                let given = file.levels.get(&field).and_then(|given| given.get(level));
                rows.fields[field as usize][*level as usize] = row(given, || format!("{field:?} {level:?}"))?;
            }
        }
        for level in [Level::Same, Level::Differ] {
            let given = file.sex_when_forenames_agree.get(&level);
            rows.sex_when_forenames_agree[level as usize] =
                row(given, || format!("Sex {level:?} when forenames agree"))?;
        }
        Ok(rows)
    }

    fn most_same(&self, field: Field, levels: &[Level]) -> (f64, f64) {
        let odds = |row: &Row| (row.one_person / row.strangers, row.one_person / row.family);
        // Sex says more where forenames do not agree.
        let sex = |of: fn((f64, f64)) -> f64| {
            let (own, apart) = (&self.fields[Field::Sex as usize], &self.sex_when_forenames_agree);
            let more = |level: Level| of(odds(&own[level as usize])) / of(odds(&apart[level as usize]));
            more(Level::Same).max(more(Level::Differ)).max(1.0)
        };
        let sex = if field == Field::Forename { (sex(|odds| odds.0), sex(|odds| odds.1)) } else { (1.0, 1.0) };
        let same = self.fields[field as usize][Level::Same as usize].one_person;
        // Names that are swapped are two fields, and rarer by far.
        let less = levels.iter().skip(1).filter(|level| **level != Level::Swapped);
        let best = less.map(|level| (*level, odds(&self.fields[field as usize][*level as usize]))).fold(
            sex,
            |(strangers, family), (level, odds)| {
                let sex = if matches!(level, Level::Nickname | Level::Close) { (1.0, 1.0) } else { sex };
                (f64::max(strangers, odds.0 * sex.0), f64::max(family, odds.1 * sex.1))
            },
        );
        (same / best.0, same / best.1)
    }

    /// What a level is worth, where the other fields are at these levels.
    pub(crate) fn row(&self, field: Field, level: Level, levels: &[Level; FIELDS], shares: Shares) -> Row {
        let row = self.level(field, level, levels, shares);
        let Some((strangers, family)) = self.most_same.get(field as usize).filter(|_| level == Level::Same) else {
            return row;
        };
        Row { strangers: row.strangers.min(*strangers), family: row.family.min(*family), ..row }
    }

    fn level(&self, field: Field, level: Level, levels: &[Level; FIELDS], shares: Shares) -> Row {
        let row = self.fields[field as usize][level as usize];
        match (field, level) {
            // A father names his son after himself whatever the name; beyond that relatives are like strangers.
            (Field::Forename, Level::Same) => {
                Row { strangers: shares.forename, family: row.family + shares.forename, ..row }
            }
            (Field::Surname, Level::Same) => Row { strangers: shares.surname, ..row },
            // A child expected under its mother's name is often given its father's.
            (Field::Surname, Level::Differ)
                if levels[Field::Birth as usize] == Level::Expected
                    && levels[Field::Forename as usize] == Level::Missing =>
            {
                NEUTRAL
            }
            (Field::Surname, Level::Shared) => Row { strangers: row.strangers.max(2.0 * shares.surname), ..row },
            (Field::Sex, level) if forenames_agree(levels) => self.sex_when_forenames_agree[level as usize],
            _ => row,
        }
    }
}

/// Whether forenames agree so far that both are of the same sex.
pub(crate) fn forenames_agree(levels: &[Level; FIELDS]) -> bool {
    matches!(levels[Field::Forename as usize], Level::Same | Level::Nickname | Level::Close)
}

fn row(given: Option<&[f64; 3]>, what: impl Fn() -> String) -> Result<Row, InvalidModel> {
    let usable = |share: &f64| *share > 0.0 && *share <= 1.0;
    match given {
        Some(shares @ [one_person, strangers, family]) if shares.iter().all(usable) => {
            Ok(Row { one_person: *one_person, strangers: *strangers, family: *family })
        }
        _ => Err(InvalidModel::Level(what())),
    }
}
