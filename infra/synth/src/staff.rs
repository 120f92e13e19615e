//! The workers of every service. A worker follows from the service and a number, so nobody has to be remembered.

use crate::{
    demo,
    dice::{Dice, Purpose, plus},
    family::Council,
    names::NAMES,
};
use fc_model::Sex;
use jiff::civil::Date;

/// A service with workers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Children,
    Adults,
    Housing,
    Schools,
    Police,
    YouthJustice,
}

pub(crate) const SERVICES: [Service; 6] =
    [Service::Children, Service::Adults, Service::Housing, Service::Schools, Service::Police, Service::YouthJustice];

/// Share of the directory that has left; their cases still name them.
const LEAVERS: f64 = 0.07;

impl Service {
    /// How many workers the service has in a council of this many people.
    pub(crate) fn workers(self, people: u64) -> u64 {
        let people_a_worker = match self {
            Self::Children => 700,
            Self::Adults => 900,
            Self::Housing | Self::Police => 1_500,
            Self::Schools => 1_200,
            Self::YouthJustice => 8_000,
        };
        (people / people_a_worker).max(6)
    }

    fn roles(self) -> &'static [&'static str] {
        match self {
            Self::Children => &["Social worker", "Social worker", "Senior social worker", "Family support worker"],
            Self::Adults => &["Social worker", "Care coordinator", "Occupational therapist", "Reablement worker"],
            Self::Housing => &["Housing officer"],
            Self::Schools => {
                &["Designated safeguarding lead", "Head of year", "Attendance officer", "Family liaison officer"]
            }
            Self::Police => &["Police constable", "Detective constable", "Sergeant"],
            Self::YouthJustice => &["Youth justice case manager"],
        }
    }

    fn teams(self) -> &'static [&'static str] {
        match self {
            Self::Children => &[
                "Assessment North",
                "Assessment South",
                "Safeguarding East",
                "Safeguarding West",
                "Children in care",
                "Leaving care",
            ],
            Self::Adults => &["Community team", "Hospital discharge", "Learning disability", "Mental health"],
            Self::Housing => &["Neighbourhoods North", "Neighbourhoods South"],
            Self::Schools => &["School staff"],
            Self::Police => &["Protecting vulnerable people", "Neighbourhood policing"],
            Self::YouthJustice => &["Youth justice"],
        }
    }

    fn domain(self) -> &'static str {
        match self {
            Self::Housing => "fenchesterhomes.example",
            Self::Police => "fenshire-police.example",
            Self::Schools => "schools.fenchester.example",
            _ => "fenchester.example",
        }
    }
}

/// Someone to ring.
#[derive(Clone)]
pub(crate) struct Worker {
    pub(crate) id: String,
    pub(crate) forename: String,
    pub(crate) surname: String,
    pub(crate) role: &'static str,
    pub(crate) team: &'static str,
    pub(crate) phone: String,
    pub(crate) email: String,
    pub(crate) inbox: String,
    pub(crate) left: Option<Date>,
}

impl Worker {
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.forename, self.surname)
    }
}

/// The worker of a service with this number. Number 0 is the one who works with the demonstration family.
pub(crate) fn worker(council: &Council, service: Service, number: u64) -> Worker {
    let mut dice = Dice::new(council.city.seed, Purpose::Staff, number * SERVICES.len() as u64 + service as u64);
    let group = NAMES.group(&mut dice);
    let sex = if dice.chance(0.7) { Sex::Female } else { Sex::Male };
    let mut forename = NAMES.forename(&mut dice, group, sex, 1982);
    let surname = NAMES.surname(&mut dice, group);
    let mut surname = NAMES.borne(&mut dice, group, sex, &surname);
    let mut phone = landline(&mut dice);
    let mut left = dice.chance(LEAVERS).then(|| plus(council.today, -dice.between(5, 700)));
    if number == 0 {
        let (demo_forename, demo_surname, demo_phone) = demo::WORKERS[service as usize];
        (forename, surname, phone, left) = (demo_forename.into(), demo_surname.into(), demo_phone.into(), None);
    }
    let team = service.teams()[if number == 0 { 0 } else { dice.below(service.teams().len()) }];
    let plain = |name: &str| name.to_lowercase().replace([' ', '\''], "");
    Worker {
        id: format!("W{}{number:05}", service as usize + 1),
        email: format!(
            "{}.{}{}@{}",
            plain(&forename),
            plain(&surname),
            if number == 0 { String::new() } else { number.to_string() },
            service.domain()
        ),
        inbox: format!("{}@{}", plain(team).replace(' ', "."), service.domain()),
        role: service.roles()[if number == 0 { 0 } else { dice.below(service.roles().len()) }],
        forename,
        surname,
        team,
        phone,
        left,
    }
}

/// A landline from the ranges that Ofcom keeps for drama: nobody can be rung by mistake.
pub(crate) fn landline(dice: &mut Dice) -> String {
    let line = dice.below(1_000);
    if dice.chance(0.8) { format!("0161 496 0{line:03}") } else { format!("020 7946 0{line:03}") }
}
