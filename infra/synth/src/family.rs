//! Who lives in the city: one family at a time, with everything that happened to it.
//!
//! A family is everyone whose kinship matters to one another, whichever roof they live under: a step-family holds the
//! father who lives elsewhere, an adoption holds both identities of the child.

use crate::{
    Rates,
    dice::{Dice, Purpose, YEAR, age, days, plus},
    names::{NAMES, VARIANTS},
    places::{City, Place},
    records::ByHand,
    staff::{Service, worker},
};
use fc_model::{Protection, Sex};
use jiff::civil::Date;

/// People in a family on average, to know how many dwellings the city has.
const MEAN_FAMILY: u64 = 2;
/// Dwellings kept for each family: its own, and one for whoever lives apart.
pub(crate) const DWELLINGS: u64 = 2;
/// Families between those in one street and those elsewhere: exchanging these bits moves at least 340 families on.
const STREETS_AWAY: u64 = 0b10_1010_0101;
/// Dwellings below this are for the families written by hand.
const FIRST_DWELLING: u64 = 48;
/// One family in so many is a care home: about four people in a thousand live in one.
const CARE_HOME_EVERY: u64 = 4_000;
/// The first care home's number, so that the smallest council has one.
const FIRST_CARE_HOME: u64 = 40;
/// Residents of a care home.
const CARE_HOME_RESIDENTS: (i64, i64) = (30, 58);
/// Families numbered below this are written by hand ([`crate::demo`]).
pub(crate) const BY_HAND: u64 = 2;
/// Days for which a baby may still be nameless in some systems.
pub(crate) const NEWBORN: i64 = 35;

/// Why someone had another name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    Marriage,
    Gender,
}

/// A name someone used to have.
#[derive(Clone)]
pub(crate) struct Former {
    pub(crate) forename: String,
    pub(crate) surname: String,
    pub(crate) why: Why,
}

/// Time spent at an address.
#[derive(Clone)]
pub(crate) struct Stay {
    pub(crate) place: Place,
    /// The dwelling's number, from which the nearest school follows.
    pub(crate) dwelling: u64,
    pub(crate) from: Date,
    pub(crate) to: Option<Date>,
    /// A refuge or a foster home.
    pub(crate) confidential: bool,
}

/// What someone's life makes likely to be on record, before chance decides.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Life {
    /// Children's social care surely knows this person.
    pub(crate) in_care_system: bool,
    /// Grew up in care and is now an adult.
    pub(crate) care_leaver: bool,
    /// Lives in a care home.
    pub(crate) care_home: bool,
    /// A colleague of those who look: works for the council.
    pub(crate) colleague: bool,
}

/// A person.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) group: usize,
    pub(crate) sex: Sex,
    /// Birth, or the expected day while unborn.
    pub(crate) born: Date,
    pub(crate) unborn: bool,
    pub(crate) died: Option<Date>,
    pub(crate) forename: String,
    pub(crate) middle: String,
    pub(crate) surname: String,
    pub(crate) preferred: Option<String>,
    pub(crate) alias: Option<(String, String)>,
    pub(crate) former: Option<Former>,
    /// Where they live and lived, newest first.
    pub(crate) stays: Vec<Stay>,
    pub(crate) protection: Protection,
    /// Place in the family of their other identity, never to be linked.
    pub(crate) other_identity: Option<usize>,
    pub(crate) life: Life,
    /// What services hold, for people written by hand.
    pub(crate) by_hand: Option<ByHand>,
    // Given out once the family is complete.
    pub(crate) number: u64,
    pub(crate) nhs_number: String,
    pub(crate) upn: String,
}

impl Person {
    /// Whether one of their first names, given or called by, is a form of this one.
    fn bears_a_form_of(&self, name: &str) -> bool {
        let own = [&self.forename, &self.middle].into_iter().chain(&self.preferred).filter(|own| !own.is_empty());
        own.into_iter().any(|own| VARIANTS.are_forms_of_one(own, name))
    }

    pub(crate) fn age(&self, today: Date) -> i64 {
        if self.unborn { -1 } else { age(self.born, today) }
    }

    pub(crate) fn is_child(&self, today: Date) -> bool {
        self.age(today) < 18
    }

    pub(crate) fn newborn(&self, today: Date) -> bool {
        !self.unborn && days(self.born, today) < NEWBORN
    }

    pub(crate) fn home(&self) -> &Stay {
        &self.stays[0]
    }
}

/// What one person of a family is to another: `b` is `a`'s mother.
pub(crate) struct Link {
    pub(crate) a: usize,
    pub(crate) b: usize,
    pub(crate) words: &'static str,
}

/// A family, or the unrelated people of one building.
#[derive(Default)]
pub(crate) struct Family {
    pub(crate) people: Vec<Person>,
    pub(crate) links: Vec<Link>,
    /// Whether they are kin; people of a care home or a shared house are not.
    pub(crate) unrelated: bool,
    /// Whether children's social care is likelier to know them, by shape: 1 for the usual.
    pub(crate) strain: f64,
}

/// The shapes of families.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shape {
    Couple,
    LoneParent,
    StepFamily,
    ThreeGenerations,
    Twins,
    Triplets,
    GrownUpChildren,
    SameNameSon,
    NoChildren,
    Single,
    OlderCouple,
    OlderSingle,
    SharedHouse,
    KinshipCare,
    FosterHome,
    Refuge,
    Adoption,
    CareLeaver,
    Sisters,
}

/// How common each shape is, as weights (about one in a thousand families each).
const SHAPES: [(Shape, u32); 19] = [
    (Shape::Couple, 190),
    (Shape::LoneParent, 90),
    (Shape::StepFamily, 42),
    (Shape::ThreeGenerations, 40),
    (Shape::Twins, 9),
    (Shape::Triplets, 1),
    (Shape::GrownUpChildren, 60),
    (Shape::SameNameSon, 12),
    (Shape::NoChildren, 150),
    (Shape::Single, 205),
    (Shape::OlderCouple, 65),
    (Shape::OlderSingle, 75),
    (Shape::SharedHouse, 24),
    (Shape::KinshipCare, 6),
    (Shape::FosterHome, 3),
    (Shape::Refuge, 2),
    (Shape::Adoption, 2),
    (Shape::CareLeaver, 5),
    (Shape::Sisters, 10),
];

/// Everything a family's making depends on.
pub(crate) struct Council {
    pub(crate) city: City,
    pub(crate) today: Date,
    pub(crate) people: u64,
    pub(crate) rates: Rates,
}

/// Makes the family of this number. The first few are of every shape in turn, so that the smallest council has all.
pub(crate) fn family(council: &Council, number: u64) -> Family {
    let dice = Dice::new(council.city.seed, Purpose::Family, number);
    let mut making = Making { council, number, dice, family: Family { strain: 1.0, ..Family::default() } };
    if number % CARE_HOME_EVERY == FIRST_CARE_HOME {
        making.care_home();
    } else {
        let shape = match SHAPES.get((number - BY_HAND) as usize) {
            Some((shape, _)) => *shape,
            None => SHAPES[making.dice.weighted(&SHAPES.map(|(_, share)| share))].0,
        };
        making.shape(shape);
    }
    making.things_that_happen();
    making.family
}

/// A single adult: fills a council up to the number asked for.
pub(crate) fn single(council: &Council, number: u64) -> Family {
    let dice = Dice::new(council.city.seed, Purpose::Family, number);
    let mut making = Making { council, number, dice, family: Family { strain: 1.0, ..Family::default() } };
    making.shape(Shape::Single);
    making.family
}

struct Making<'a> {
    council: &'a Council,
    number: u64,
    dice: Dice,
    family: Family,
}

impl Making<'_> {
    fn shape(&mut self, shape: Shape) {
        let group = NAMES.group(&mut self.dice);
        let home = self.home(0);
        match shape {
            Shape::Couple | Shape::Twins | Shape::Triplets => {
                let (mother, father) = self.couple(group, &home, (21, 50));
                let together = match shape {
                    Shape::Twins => 2,
                    Shape::Triplets => 3,
                    _ => 1,
                };
                self.children(Some(mother), Some(father), &home, together);
            }
            Shape::LoneParent => self.lone_parent(group, &home),
            Shape::StepFamily => self.step_family(group, &home),
            Shape::ThreeGenerations => {
                let (mother, father) = self.couple(group, &home, (24, 45));
                let children = self.children(Some(mother), Some(father), &home, 1);
                self.grandparents(if self.number.is_multiple_of(2) { mother } else { father }, &children, &home);
            }
            Shape::GrownUpChildren => {
                let (mother, father) = self.couple(group, &home, (44, 60));
                let years = self.dice.between(18, 25);
                self.child(Some(mother), Some(father), years * YEAR + 40, &home);
                if self.dice.chance(0.5) {
                    self.child(Some(mother), Some(father), (years - 4) * YEAR, &home);
                }
                self.siblings(father + 1, "Sibling");
            }
            Shape::SameNameSon => {
                let (mother, father) = self.couple(group, &home, (42, 60));
                let years = self.dice.between(18, 24);
                let son = self.child(Some(mother), Some(father), years * YEAR + 100, &home);
                self.family.people[son].sex = Sex::Male;
                self.family.people[son].forename = self.family.people[father].forename.clone();
                self.family.people[son].surname = self.family.people[father].surname.clone();
                self.family.people[son].preferred = None;
            }
            Shape::NoChildren => {
                self.couple(group, &home, (20, 60));
            }
            Shape::Single => {
                let sex = self.either();
                let home = self.home(0);
                self.adult(group, sex, (18, 66), &home);
            }
            Shape::OlderCouple => {
                self.couple(group, &home, (64, 90));
            }
            Shape::OlderSingle => {
                let sex = if self.dice.chance(0.65) { Sex::Female } else { Sex::Male };
                self.adult(group, sex, (66, 97), &home);
            }
            Shape::SharedHouse => self.shared_house(),
            Shape::KinshipCare => self.kinship_care(group, &home),
            Shape::FosterHome => self.foster_home(group, &home),
            Shape::Refuge => self.refuge(group),
            Shape::Adoption => self.adoption(group, &home),
            Shape::CareLeaver => {
                let sex = self.either();
                let leaver = self.adult(group, sex, (18, 22), &home);
                self.family.people[leaver].life.care_leaver = true;
                self.family.people[leaver].life.in_care_system = true;
            }
            Shape::Sisters => {
                let surname = NAMES.surname(&mut self.dice, group);
                for _ in 0..self.dice.between(2, 3) {
                    let sister = self.adult(group, Sex::Female, (19, 45), &home);
                    self.family.people[sister].surname.clone_from(&surname);
                    self.family.people[sister].former = None;
                }
                self.siblings(0, "Sibling");
            }
        }
    }

    /// Where the family lives and lived: `side` 1 is the home of whoever lives apart.
    fn home(&mut self, side: u64) -> Vec<Stay> {
        let today = self.council.today;
        // Whoever lives apart lives streets away: an adopted child is not next door to the family before.
        let number = if side == 0 { self.number } else { self.number ^ STREETS_AWAY };
        let dwelling = FIRST_DWELLING + number * DWELLINGS + side;
        let since = plus(today, -self.dice.between(30, 9_000) * self.dice.between(1, 10) / 10);
        let stay = |dwelling: u64, from, to| Stay {
            place: self.council.city.dwelling(dwelling),
            dwelling,
            from,
            to,
            confidential: false,
        };
        let mut stays = vec![stay(dwelling, since, None)];
        let dwellings = (self.council.people / MEAN_FAMILY * DWELLINGS).max(100) as usize;
        let mut until = since;
        let moves = self.dice.weighted(&[45, 35, 15, 5]);
        for _ in 0..moves {
            let from = plus(until, -self.dice.between(90, 2_500));
            // Where others live now: what makes "same address" weak evidence.
            stays.push(stay(FIRST_DWELLING + self.dice.below(dwellings) as u64, from, Some(until)));
            until = from;
        }
        stays
    }

    fn either(&mut self) -> Sex {
        if self.dice.chance(0.51) { Sex::Female } else { Sex::Male }
    }

    /// Adds someone, and gives their place in the family.
    fn person(&mut self, group: usize, sex: Sex, born: Date, surname: String, stays: &[Stay]) -> usize {
        let dice = &mut self.dice;
        let year = born.year();
        let mut forename = NAMES.forename(dice, group, sex, year);
        // Of two who were born together neither has a name of the other's, or a form of it: nobody calls twins Siu and
        // Siu-Mei, or Harry and Henry.
        let is_taken =
            |name: &str| self.family.people.iter().any(|other| other.born == born && other.bears_a_form_of(name));
        // Other siblings hardly ever share a forename.
        while is_taken(&forename)
            || (self.family.people.iter().any(|other| other.forename == forename) && dice.chance(0.97))
        {
            forename = NAMES.forename(dice, group, sex, year);
        }
        let mut middle = String::new();
        if dice.chance(0.6) {
            middle = NAMES.forename(dice, group, sex, year);
        }
        if is_taken(&middle) {
            middle.clear();
        }
        let mut preferred = None;
        if sex == Sex::Male && NAMES.mohammed_first(group) && dice.chance(0.25) && !is_taken("Mohammed") {
            preferred = Some(forename.clone());
            middle = std::mem::replace(&mut forename, "Mohammed".into());
        } else if dice.chance(0.08) && !middle.is_empty() {
            preferred = Some(middle.clone());
        }
        if middle == forename {
            middle.clear();
        }
        let stays = stays
            .iter()
            .enumerate()
            .filter(|(place, stay)| *place == 0 || stay.to.is_none_or(|to| to > born))
            .map(|(_, stay)| Stay { from: stay.from.max(born), ..stay.clone() })
            .collect();
        self.family.people.push(Person {
            group,
            sex,
            born,
            unborn: false,
            died: None,
            forename,
            middle,
            surname,
            preferred,
            alias: None,
            former: None,
            stays,
            protection: Protection::None,
            other_identity: None,
            life: Life::default(),
            by_hand: None,
            number: 0,
            nhs_number: String::new(),
            upn: String::new(),
        });
        self.family.people.len() - 1
    }

    fn adult(&mut self, group: usize, sex: Sex, ages: (i64, i64), stays: &[Stay]) -> usize {
        let years = self.dice.between(ages.0, ages.1);
        let born = plus(self.council.today, -(years * 1461 / 4 + self.dice.between(1, 360)));
        let surname = NAMES.surname(&mut self.dice, group);
        let surname = NAMES.borne(&mut self.dice, group, sex, &surname);
        self.person(group, sex, born, surname, stays)
    }

    /// A couple, married or not: (mother or first partner, father or second).
    fn couple(&mut self, group: usize, stays: &[Stay], ages: (i64, i64)) -> (usize, usize) {
        let woman = self.adult(group, Sex::Female, ages, stays);
        let years = self.family.people[woman].age(self.council.today);
        let his = if self.dice.chance(0.1) { NAMES.group(&mut self.dice) } else { group };
        let man = self.adult(his, Sex::Male, ((years - 3).max(18), (years + 6).min(97)), stays);
        let married = self.dice.chance(0.55);
        if married && NAMES.wife_takes_surname(group) && self.dice.chance(0.8) {
            let husband = self.family.people[man].surname.clone();
            let husband = NAMES.borne(&mut self.dice, group, Sex::Female, &husband);
            self.marry(woman, &husband);
        }
        self.link(woman, man, if married { "Spouse" } else { "Partner" });
        (woman, man)
    }

    fn marry(&mut self, wife: usize, husband: &str) {
        let both = self.dice.chance(0.08);
        let wife = &mut self.family.people[wife];
        let forename = wife.forename.clone();
        let surname = if both && !wife.surname.contains('-') && !husband.contains('-') {
            format!("{}-{husband}", wife.surname)
        } else {
            husband.to_owned()
        };
        if surname != wife.surname {
            let maiden = std::mem::replace(&mut wife.surname, surname);
            wife.former = Some(Former { forename, surname: maiden, why: Why::Marriage });
        }
    }

    fn link(&mut self, a: usize, b: usize, words: &'static str) {
        self.family.links.push(Link { a, b, words });
    }

    /// Links everyone from `first` on to one another.
    fn siblings(&mut self, first: usize, words: &'static str) {
        let last = self.family.people.len();
        for a in first..last {
            for b in a + 1..last {
                self.link(a, b, words);
            }
        }
    }

    /// A child of this age in days.
    fn child(&mut self, mother: Option<usize>, father: Option<usize>, age: i64, stays: &[Stay]) -> usize {
        let parent = |of: Option<usize>| of.map(|place| &self.family.people[place]);
        let named_by = parent(father).or(parent(mother));
        let (group, surname) = named_by.map_or((0, String::new()), |p| (p.group, p.surname.clone()));
        let mothers = parent(mother).map(|mother| mother.surname.clone());
        let sex = if self.dice.chance(0.49) { Sex::Female } else { Sex::Male };
        let mut surname = NAMES.borne(&mut self.dice, group, sex, &surname);
        if let Some(mothers) = mothers {
            let single = !surname.contains('-') && !mothers.contains('-') && mothers != surname;
            if single && father.is_some() && self.dice.chance(0.06) {
                surname = format!("{mothers}-{surname}");
            } else if father.is_some() && self.dice.chance(0.04) {
                surname = mothers;
            }
        }
        // Siblings who have the same parents share the first one's surname.
        let eldest = self.family.links.iter().find(|link| Some(link.b) == mother && link.words == "Mother");
        let eldest_father =
            eldest.and_then(|eldest| self.family.links.iter().find(|l| l.a == eldest.a && l.words == "Father"));
        if let Some(eldest) = eldest
            && eldest_father.map(|link| link.b) == father
        {
            surname = self.family.people[eldest.a].surname.clone();
        }
        let born = plus(self.council.today, -age);
        let child = self.person(group, sex, born, surname, stays);
        if let Some(mother) = mother {
            self.link(child, mother, "Mother");
        }
        if let Some(father) = father {
            self.link(child, father, "Father");
        }
        child
    }

    /// Children of a mother's age, spaced as births are; `together` of them are born on one day.
    fn children(
        &mut self,
        mother: Option<usize>,
        father: Option<usize>,
        stays: &[Stay],
        together: usize,
    ) -> Vec<usize> {
        let parent = mother.or(father).map_or(30, |place| self.family.people[place].age(self.council.today));
        let group = mother.or(father).map_or(0, |place| self.family.people[place].group);
        let more = usize::from(NAMES.larger_families(group)) * self.dice.below(3);
        let count = (1 + self.dice.weighted(&[42, 39, 14, 5]) + more).max(together);
        let oldest = ((parent - 18) * YEAR).clamp(200, 18 * YEAR - 10);
        let youngest = ((parent - 43) * YEAR).max(0);
        let mut ages = vec![self.dice.between(youngest, oldest.max(youngest + 1)); together];
        while ages.len() < count {
            let age = self.dice.between(youngest, oldest.max(youngest + 1));
            // Nature's least distance between two births of one mother, with a margin.
            if ages.iter().all(|other| (age - other).abs() > 330) {
                ages.push(age);
            } else if self.dice.chance(0.2) {
                break;
            }
        }
        ages.sort_unstable_by(|a, b| b.cmp(a));
        let first = self.family.people.len();
        let born: Vec<usize> = ages.iter().map(|age| self.child(mother, father, *age, stays)).collect();
        for a in first..self.family.people.len() {
            for b in a + 1..self.family.people.len() {
                let twins = self.family.people[a].born == self.family.people[b].born;
                self.link(a, b, if twins { "Twin" } else { "Sibling" });
            }
        }
        born
    }

    fn lone_parent(&mut self, group: usize, home: &[Stay]) {
        self.family.strain = 1.9;
        if self.dice.chance(0.12) {
            let father = self.adult(group, Sex::Male, (24, 52), home);
            self.children(None, Some(father), home, 1);
            return;
        }
        let mother = self.adult(group, Sex::Female, (18, 48), home);
        if self.dice.chance(0.6) {
            let years = self.family.people[mother].age(self.council.today);
            let his = if self.dice.chance(0.2) { NAMES.group(&mut self.dice) } else { group };
            let elsewhere = self.home(1);
            let father = self.adult(his, Sex::Male, ((years - 3).max(18), years + 8), &elsewhere);
            self.children(Some(mother), Some(father), home, 1);
            self.link(mother, father, "Ex-partner");
        } else {
            self.children(Some(mother), None, home, 1);
        }
    }

    /// Children with a step-father, a half-sibling, and the father who lives elsewhere.
    fn step_family(&mut self, group: usize, home: &[Stay]) {
        self.family.strain = 1.8;
        let mother = self.adult(group, Sex::Female, (27, 46), home);
        let years = self.family.people[mother].age(self.council.today);
        let elsewhere = self.home(1);
        let father = self.adult(group, Sex::Male, (years - 2, years + 7), &elsewhere);
        let older = self.children(Some(mother), Some(father), home, 1);
        self.link(mother, father, "Ex-partner");
        let his = if self.dice.chance(0.2) { NAMES.group(&mut self.dice) } else { group };
        let partner = self.adult(his, Sex::Male, (years - 3, years + 8), home);
        self.link(mother, partner, "Partner");
        for child in &older {
            self.link(*child, partner, "Stepfather");
        }
        if self.dice.chance(0.5) {
            let youngest = self.family.people[older[older.len() - 1]].born;
            let room = days(youngest, self.council.today) - 400;
            if room > 0 {
                let age = self.dice.between(0, room);
                let half = self.child(Some(mother), Some(partner), age, home);
                for child in &older {
                    self.link(half, *child, "Half-sibling");
                }
            }
        }
        if self.dice.chance(0.3) {
            // The step-father's own child, who stays with them.
            let age = self.dice.between(3 * YEAR, 16 * YEAR);
            let own = self.child(None, Some(partner), age, home);
            for child in &older {
                self.link(own, *child, "Step-sibling");
            }
        }
    }

    fn grandparents(&mut self, of: usize, children: &[usize], home: &[Stay]) {
        let (group, surname, born) = {
            let parent = &self.family.people[of];
            let maiden = parent.former.as_ref().map_or(&parent.surname, |former| &former.surname);
            (parent.group, maiden.clone(), parent.born)
        };
        let add = |making: &mut Self, sex, parent_words, words| {
            let born = plus(born, -making.dice.between(20 * YEAR, 36 * YEAR));
            let surname = NAMES.borne(&mut making.dice, group, sex, &surname);
            let place = making.person(group, sex, born, surname, home);
            making.link(of, place, parent_words);
            for child in children {
                making.link(*child, place, words);
            }
        };
        add(self, Sex::Female, "Mother", "Grandmother");
        if self.dice.chance(0.55) {
            add(self, Sex::Male, "Father", "Grandfather");
        }
    }

    fn kinship_care(&mut self, group: usize, home: &[Stay]) {
        self.family.strain = 8.0;
        // The parents live elsewhere, or nobody knows where.
        let elsewhere = self.home(1);
        let mother = self.adult(group, Sex::Female, (19, 38), &elsewhere);
        let children = self.children(Some(mother), None, home, 1);
        self.grandparents(mother, &children, home);
    }

    fn foster_home(&mut self, group: usize, home: &[Stay]) {
        self.family.strain = 10.0;
        let confidential: Vec<Stay> = home.iter().take(1).map(|s| Stay { confidential: true, ..s.clone() }).collect();
        let (her, him) = self.couple(group, home, (38, 64));
        for carer in [her, him] {
            self.family.people[carer].life.in_care_system = true;
        }
        for _ in 0..self.dice.between(1, 3) {
            let group = NAMES.group(&mut self.dice);
            let surname = NAMES.surname(&mut self.dice, group);
            let sex = self.either();
            let born = plus(self.council.today, -self.dice.between(300, 17 * YEAR));
            let since = self.dice.day(born, self.council.today);
            let mut stays = confidential.clone();
            stays[0].from = since;
            let before = self.home(1).into_iter().take(1);
            stays.extend(before.map(|stay| Stay { from: stay.from.min(since), to: Some(since), ..stay }));
            let child = self.person(group, sex, born, surname, &stays);
            self.family.people[child].stays[0].from = since;
            self.family.people[child].life.in_care_system = true;
            self.link(child, her, "Foster carer");
            self.link(child, him, "Foster carer");
        }
    }

    /// A mother and her children at an address that must not be shown; the father is still where they fled from.
    fn refuge(&mut self, group: usize) {
        self.family.strain = 10.0;
        let since = plus(self.council.today, -self.dice.between(5, 300));
        let before = self.home(1);
        let mut stays = self.home(0);
        stays.truncate(1);
        stays[0].from = since;
        stays[0].confidential = true;
        stays.extend(before.iter().take(1).map(|stay| Stay {
            from: stay.from.min(since),
            to: Some(since),
            ..stay.clone()
        }));
        let (mother, father) = self.couple(group, &before, (21, 45));
        self.children(Some(mother), Some(father), &stays, 1);
        let born = self.family.people[mother].born;
        self.family.people[mother].stays =
            stays.iter().map(|stay| Stay { from: stay.from.max(born), ..stay.clone() }).collect();
        for person in &mut self.family.people {
            person.life.in_care_system = true;
        }
    }

    /// A child with two identities, one before and one after adoption: for every purpose two people.
    fn adoption(&mut self, group: usize, home: &[Stay]) {
        self.family.strain = 0.0;
        let before = self.home(1);
        let mother = self.adult(group, Sex::Female, (19, 40), &before);
        let years = self.family.people[mother].age(self.council.today);
        let age = self.dice.between(YEAR, (years - 16).clamp(2, 16) * YEAR);
        let old = self.child(Some(mother), None, age, &before);
        let (her, him) = {
            let other = NAMES.group(&mut self.dice);
            self.couple(other, home, (32, 52))
        };
        let new = self.child(None, None, age, home);
        let surname = self.family.people[him].surname.clone();
        let keeps_forename = self.dice.chance(0.6);
        let (sex, forename) = (self.family.people[old].sex, self.family.people[old].forename.clone());
        let adopted = &mut self.family.people[new];
        adopted.sex = sex;
        adopted.surname = surname;
        adopted.preferred = None;
        if keeps_forename {
            adopted.forename = forename;
        } else {
            let group = adopted.group;
            let year = adopted.born.year();
            let name = NAMES.forename(&mut self.dice, group, sex, year);
            self.family.people[new].forename = name;
        }
        self.link(new, her, "Adoptive parent");
        self.link(new, him, "Adoptive parent");
        let people = &mut self.family.people;
        people[old].protection = Protection::Hidden;
        people[new].protection = Protection::Withheld;
        people[old].other_identity = Some(new);
        people[new].other_identity = Some(old);
        for place in [mother, old, new, her, him] {
            people[place].life.in_care_system = true;
        }
    }

    fn shared_house(&mut self) {
        self.family.unrelated = true;
        let mut home = self.home(0);
        home.truncate(1);
        for room in 1..=self.dice.between(3, 7) {
            let group = NAMES.group(&mut self.dice);
            let sex = if self.dice.chance(0.35) { Sex::Female } else { Sex::Male };
            let mut stays = home.clone();
            stays[0].from = plus(self.council.today, -self.dice.between(20, 1_500));
            if self.dice.chance(0.4) && stays[0].place.flat.is_empty() {
                stays[0].place.flat = format!("Room {room}");
            }
            self.adult(group, sex, (18, 55), &stays);
        }
    }

    fn care_home(&mut self) {
        self.family.unrelated = true;
        let dwelling = FIRST_DWELLING + self.number * DWELLINGS;
        let place = self.council.city.care_home(dwelling);
        for resident in 0..self.dice.between(CARE_HOME_RESIDENTS.0, CARE_HOME_RESIDENTS.1) {
            let group = NAMES.group(&mut self.dice);
            let sex = if self.dice.chance(0.68) { Sex::Female } else { Sex::Male };
            let since = plus(self.council.today, -self.dice.between(20, 1_800));
            let mut stays = vec![Stay { place: place.clone(), dwelling, from: since, to: None, confidential: false }];
            let before = self.home(resident as u64 % DWELLINGS);
            stays.extend(before.into_iter().skip(1).map(|stay| Stay {
                to: Some(since),
                from: stay.from.min(since),
                ..stay
            }));
            stays.truncate(2);
            let place = self.adult(group, sex, (68, 97), &stays);
            self.family.people[place].life.care_home = true;
        }
    }

    /// Births to come, deaths, other names, restrictions, and colleagues.
    fn things_that_happen(&mut self) {
        let today = self.council.today;
        let rates = self.council.rates.clone();
        if !self.family.unrelated && self.family.strain > 0.0 {
            self.birth_to_come(&rates);
        }
        for place in 0..self.family.people.len() {
            let dice = &mut self.dice;
            let (years, unborn) = (self.family.people[place].age(today), self.family.people[place].unborn);
            if unborn {
                continue;
            }
            let chance_of_death = if years >= 75 {
                0.05
            } else if years >= 50 {
                0.008
            } else {
                0.0008
            };
            if dice.chance(chance_of_death) {
                let born = self.family.people[place].born;
                self.family.people[place].died = Some(dice.day(plus(today, -4 * YEAR).max(born), today));
            }
            let person = &mut self.family.people[place];
            if dice.chance(rates.alias) && years > 10 {
                let forename = if dice.chance(0.4) {
                    NAMES.forename(dice, person.group, person.sex, 1990)
                } else {
                    person.forename.clone()
                };
                person.alias = Some((forename, NAMES.surname(dice, person.group)));
            }
            if dice.chance(rates.gender_change) && years > 15 && person.former.is_none() {
                let born_as = if person.sex == Sex::Female { Sex::Male } else { Sex::Female };
                let forename = NAMES.forename(dice, person.group, born_as, person.born.year());
                person.former = Some(Former { forename, surname: person.surname.clone(), why: Why::Gender });
            }
            if dice.chance(rates.withheld) {
                person.protection = person.protection.max(Protection::Withheld);
                person.life.in_care_system = true;
            } else if dice.chance(rates.hidden) {
                person.protection = Protection::Hidden;
                person.life.in_care_system = true;
            }
            if (20..66).contains(&years) && dice.chance(rates.colleague) {
                // A worker of the council lives here too, under the name colleagues know.
                let pool = Service::Children.workers(self.council.people);
                let worker = worker(self.council, Service::Children, 1 + dice.below(pool as usize - 1) as u64);
                person.forename = worker.forename;
                person.surname = worker.surname;
                person.former = None;
                person.life.colleague = true;
            }
        }
    }

    fn birth_to_come(&mut self, rates: &Rates) {
        let today = self.council.today;
        let Some(mother) =
            self.family.people.iter().position(|p| p.sex == Sex::Female && (17..43).contains(&p.age(today)))
        else {
            return;
        };
        let recent = self.family.people.iter().any(|p| days(p.born, today) < 300);
        if recent || !self.dice.chance(rates.unborn) {
            return;
        }
        let father =
            self.family.links.iter().find(|l| l.a == mother && matches!(l.words, "Partner" | "Spouse")).map(|l| l.b);
        let due = self.dice.between(3, 230);
        let siblings: Vec<usize> =
            self.family.links.iter().filter(|l| l.b == mother && l.words == "Mother").map(|l| l.a).collect();
        let home = self.family.people[mother].stays[..1].to_vec();
        let unborn = self.child(Some(mother), father, -due, &home);
        let child = &mut self.family.people[unborn];
        child.unborn = true;
        child.stays[0].from = today;
        child.middle.clear();
        child.preferred = None;
        for sibling in siblings {
            self.link(unborn, sibling, "Sibling");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn council(seed: u64) -> Council {
        Council { city: City { seed }, today: date(2026, 3, 2), people: 100_000, rates: Rates::default() }
    }

    fn names(family: &Family) -> Vec<String> {
        family
            .people
            .iter()
            .map(|p| format!("{} {} {} {}", p.forename, p.surname, p.born, p.home().place.postcode))
            .collect()
    }

    #[test]
    fn a_family_follows_from_the_seed_and_its_number_alone() {
        let council = council(11);
        let alone = names(&family(&council, 31_000));
        let after_others: Vec<_> = (30_990..=31_000).map(|number| names(&family(&council, number))).collect();
        assert_eq!(alone, after_others[10]);
    }

    #[test]
    fn nobody_has_a_mother_too_young_or_an_address_before_birth() {
        let council = council(12);
        for number in BY_HAND..6_000 {
            let family = family(&council, number);
            for link in family.links.iter().filter(|link| link.words == "Mother") {
                let years = days(family.people[link.b].born, family.people[link.a].born) / YEAR;
                assert!((14..=47).contains(&years), "family {number}: {years}");
            }
            for person in family.people.iter().filter(|person| !person.unborn) {
                assert!(person.stays.iter().all(|stay| stay.from >= person.born), "family {number}");
                assert!(
                    person.stays[1..].iter().all(|stay| stay.to.is_some_and(|to| to >= stay.from)),
                    "family {number}"
                );
            }
        }
    }

    #[test]
    fn twins_share_a_birthday_and_never_a_name() {
        let council = council(13);
        let mut pairs = 0;
        for number in BY_HAND..4_000 {
            let family = family(&council, number);
            for link in family.links.iter().filter(|link| link.words == "Twin") {
                let (a, b) = (&family.people[link.a], &family.people[link.b]);
                assert_eq!(a.born, b.born);
                for name in [&a.forename, &a.middle].into_iter().chain(&a.preferred).filter(|name| !name.is_empty()) {
                    assert!(!b.bears_a_form_of(name), "family {number}");
                }
                pairs += 1;
            }
        }
        assert!(pairs > 20, "{pairs}");
    }
}
