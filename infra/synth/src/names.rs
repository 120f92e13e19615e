//! The names of an English city, by community, with a long tail.

use crate::dice::Dice;
use fc_model::Sex;
use std::{collections::HashMap, sync::LazyLock};

/// The lists, read once.
pub(crate) static NAMES: LazyLock<Names> = LazyLock::new(|| Names::read(include_str!("../data/names.txt")));

/// Other ways in which a name is written, read once.
pub(crate) static VARIANTS: LazyLock<Variants> = LazyLock::new(|| Variants::read(include_str!("../data/variants.txt")));

/// Share of English surnames that come from the long tail rather than the list of common ones.
const ENGLISH_TAIL: f64 = 0.35;

/// A community with its names.
#[derive(Default)]
struct Group {
    title: String,
    weight: u32,
    steep: bool,
    /// (sex, first year of birth, forenames), earlier years first.
    forenames: Vec<(Sex, i16, Vec<String>)>,
    surnames: Vec<String>,
}

/// All communities.
pub(crate) struct Names {
    groups: Vec<Group>,
    weights: Vec<u32>,
    beginnings: Vec<String>,
    endings: Vec<String>,
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(|word| word.replace('_', " ")).collect()
}

impl Names {
    fn read(text: &str) -> Self {
        let mut names = Self { groups: vec![], weights: vec![], beginnings: vec![], endings: vec![] };
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            if let Some(head) = line.strip_prefix('[') {
                let head = words(head.trim_end_matches(']'));
                let weight = head.get(1).and_then(|weight| weight.parse().ok()).unwrap_or(0);
                let steep = head.iter().any(|word| word == "steep");
                names.groups.push(Group { title: head[0].clone(), weight, steep, ..Group::default() });
                continue;
            }
            let (Some((key, list)), Some(group)) = (line.split_once(": "), names.groups.last_mut()) else { continue };
            let (key, year) = key.split_once(' ').unwrap_or((key, "0"));
            match key {
                "female" => group.forenames.push((Sex::Female, year.parse().unwrap_or(0), words(list))),
                "male" => group.forenames.push((Sex::Male, year.parse().unwrap_or(0), words(list))),
                "surnames" => group.surnames = words(list),
                "beginnings" => names.beginnings = words(list),
                _ => names.endings = words(list),
            }
        }
        names.groups.retain(|group| !group.surnames.is_empty());
        names.weights = names.groups.iter().map(|group| group.weight).collect();
        names
    }

    /// A community, as often as it lives in the city.
    pub(crate) fn group(&self, dice: &mut Dice) -> usize {
        dice.weighted(&self.weights)
    }

    /// Whether families of this community tend to be larger.
    pub(crate) fn larger_families(&self, group: usize) -> bool {
        matches!(self.groups[group].title.as_str(), "pakistani" | "bangladeshi" | "somali" | "arab")
    }

    /// A forename for someone born in this year.
    pub(crate) fn forename(&self, dice: &mut Dice, group: usize, sex: Sex, year: i16) -> String {
        let lists: Vec<_> = self.groups[group].forenames.iter().filter(|list| list.0 == sex).collect();
        let fashion = lists.iter().rposition(|list| list.1 <= year).unwrap_or(0);
        // Some are named after a grandmother, or ahead of fashion.
        let list = if dice.chance(0.08) { dice.below(lists.len()) } else { fashion };
        let list = &lists[list].2;
        let name = list[dice.early(list.len(), false)].clone();
        if self.groups[group].title == "chinese" && name.len() <= 4 && dice.chance(0.6) {
            return format!("{name}-{}", list[dice.early(list.len(), false)]);
        }
        name
    }

    /// A surname.
    pub(crate) fn surname(&self, dice: &mut Dice, group: usize) -> String {
        let of = &self.groups[group];
        if of.title == "english" && dice.chance(ENGLISH_TAIL) {
            let beginning = &self.beginnings[dice.early(self.beginnings.len(), false)];
            return format!("{beginning}{}", dice.pick(&self.endings));
        }
        of.surnames[dice.early(of.surnames.len(), of.steep)].clone()
    }

    /// A surname as a woman or a man of the community bears it: Kowalska and Kowalski, Kaur and Singh.
    pub(crate) fn borne(&self, dice: &mut Dice, group: usize, sex: Sex, surname: &str) -> String {
        match (self.groups[group].title.as_str(), sex) {
            ("polish", Sex::Female) if surname.ends_with("ski") || surname.ends_with("cki") => {
                format!("{}a", &surname[..surname.len() - 1])
            }
            ("sikh", Sex::Female) if surname == "Singh" => "Kaur".into(),
            ("sikh", Sex::Male) if surname == "Kaur" => "Singh".into(),
            ("pakistani" | "bangladeshi", Sex::Male) if matches!(surname, "Begum" | "Bibi" | "Khatun" | "Khanom") => {
                if dice.chance(0.5) {
                    "Hussain".into()
                } else {
                    "Khan".into()
                }
            }
            _ => surname.to_owned(),
        }
    }

    /// Whether a wife of the community usually takes her husband's surname.
    pub(crate) fn wife_takes_surname(&self, group: usize) -> bool {
        !matches!(
            self.groups[group].title.as_str(),
            "pakistani" | "bangladeshi" | "somali" | "arab" | "chinese" | "southern_african_and_eritrean"
        )
    }

    /// Whether men of the community often bear Mohammed before the name they go by.
    pub(crate) fn mohammed_first(&self, group: usize) -> bool {
        matches!(self.groups[group].title.as_str(), "pakistani" | "bangladeshi")
    }
}

/// Nicknames and spellings, by the usual form.
pub(crate) struct Variants {
    nick: HashMap<String, Vec<String>>,
    sound: HashMap<String, Vec<String>>,
}

impl Variants {
    fn read(text: &str) -> Self {
        let (mut nick, mut sound) = (HashMap::new(), HashMap::new());
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some((kind, names)) = line.split_once(": ") else { continue };
            let mut names = words(names);
            let usual = names.remove(0);
            if kind == "nick" { &mut nick } else { &mut sound }.insert(usual, names);
        }
        Self { nick, sound }
    }

    /// A short form of the forename, when one is known.
    pub(crate) fn nickname(&self, dice: &mut Dice, forename: &str) -> Option<&str> {
        self.nick.get(forename).map(|names| dice.pick(names).as_str())
    }

    /// Whether two forenames are the same, forms of one name, or one the beginning or end of the other.
    pub(crate) fn are_forms_of_one(&self, a: &str, b: &str) -> bool {
        let forms = |name: &str| {
            let listed = [&self.nick, &self.sound].into_iter().filter_map(|lists| lists.get(name));
            listed.flatten().cloned().chain([name.to_owned()]).collect::<Vec<_>>()
        };
        let parts = |name: &str| name.split(['-', ' ']).map(str::to_owned).collect::<Vec<_>>();
        let within = |a: &[String], b: &[String]| a.iter().all(|part| b.contains(part));
        let (parts_a, parts_b, forms_b) = (parts(a), parts(b), forms(b));
        within(&parts_a, &parts_b) || within(&parts_b, &parts_a) || forms(a).iter().any(|form| forms_b.contains(form))
    }

    /// Another spelling of the name, when one is known.
    pub(crate) fn spelling(&self, dice: &mut Dice, name: &str) -> Option<&str> {
        self.sound.get(name).map(|names| dice.pick(names).as_str())
    }
}

/// Names as people themselves write them where the system lets them.
pub(crate) fn accented(name: &str) -> Option<&'static str> {
    Some(match name {
        "Sian" => "Siân",
        "Zoe" => "Zoë",
        "Chloe" => "Chloë",
        "Renee" => "Renée",
        "Sean" => "Seán",
        "Padraig" => "Pádraig",
        "Siobhan" => "Siobhán",
        "Roisin" => "Róisín",
        "Sinead" => "Sinéad",
        "Jose" => "José",
        "Ines" => "Inés",
        "Joao" => "João",
        "Lukasz" => "Łukasz",
        "Pawel" => "Paweł",
        "Malgorzata" => "Małgorzata",
        "Michal" => "Michał",
        "Wojcik" => "Wójcik",
        "Krol" => "Król",
        "Zajac" => "Zając",
        "Stefan" => "Ștefan",
        "Ayse" => "Ayşe",
        "Ozturk" => "Öztürk",
        "Ruta" => "Rūta",
        _ => return None,
    })
}
