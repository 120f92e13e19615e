//! A small fuzzer: kept inputs, changed at random, given to what parses. Whatever comes of an input that did not come of
//! one before makes it a new start. No toolchain but the usual one is needed, so it runs with every test.
//!
//! `FUZZ_SECONDS=600` makes it run so long instead of a fixed number of inputs, `FUZZ_SEED` makes it another run. An
//! input that fails is written to `target/fuzz`; put it in `tests/fuzz/corpus` with the fix, and give it a named test.

use std::{
    collections::HashSet,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// Inputs of a run that is one of many tests.
const INPUTS: u64 = 2_000;
/// Longest input.
const LONGEST: usize = 64 * 1024;
/// What parsers stumble over.
const TOKENS: [&str; 28] = [
    "\"",
    "\"\"",
    ",",
    ";",
    "\t",
    "|",
    "\r",
    "\n",
    "\r\n",
    "\0",
    "\u{feff}",
    "'=",
    "=\"1\"",
    "1234.0",
    "4.86E+09",
    "31/02/2015",
    "29/02/1900",
    "9999-12-31",
    "44927",
    "PK\u{3}\u{4}",
    "PK\u{7}\u{8}",
    "\u{1f}",
    "é",
    "\u{2028}",
    "{",
    "}",
    "[[",
    "-1",
];

/// The root of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Files that are kept as starts: those in folders of the repository.
pub(crate) fn kept(folders: &[&str]) -> Vec<Vec<u8>> {
    let files = folders.iter().flat_map(|folder| fs::read_dir(root().join(folder)).unwrap());
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).filter(|path| path.is_file()).collect();
    files.sort();
    assert!(!files.is_empty(), "nothing is kept in {folders:?}");
    files.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// A number sequence that looks random and is the same for a seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, most: usize) -> usize {
        (self.next() % most.max(1) as u64) as usize
    }
}

fn changed(random: &mut Random, pool: &[Vec<u8>]) -> Vec<u8> {
    let mut input = pool[random.below(pool.len())].clone();
    for _ in 0..=random.below(6) {
        let at = random.below(input.len() + 1);
        let length = random.below(17).min(input.len() - at);
        match random.below(7) {
            0 if at < input.len() => input[at] ^= 1 << random.below(8),
            1 if at < input.len() => input[at] = [0, 0xFF, b'0', b'\n', b'"', 0x80][random.below(6)],
            2 => drop(input.drain(at..at + length)),
            3 => {
                let piece = input[at..at + length].to_vec();
                for _ in 0..=random.below(40) {
                    input.splice(at..at, piece.iter().copied());
                }
            }
            4 => {
                let other = &pool[random.below(pool.len())];
                let from = random.below(other.len() + 1);
                let piece = &other[from..other.len().min(from + random.below(200))];
                input.splice(at..at + length, piece.iter().copied());
            }
            5 => input.truncate(at.max(1)),
            _ => drop(input.splice(at..at + length, TOKENS[random.below(TOKENS.len())].bytes())),
        }
    }
    input.truncate(LONGEST);
    input
}

/// Gives inputs to `parse`, which must not panic and says what came of each. Prints how many there were.
pub(crate) fn fuzz<T: Hash>(name: &str, starts: Vec<Vec<u8>>, parse: impl Fn(&[u8]) -> T) {
    let number = |variable: &str| std::env::var(variable).ok().and_then(|text| text.parse::<u64>().ok());
    let (seconds, seed) = (number("FUZZ_SECONDS"), number("FUZZ_SEED").unwrap_or(1));
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    let (began, mut inputs, mut seen) = (Instant::now(), 0, HashSet::new());
    let (starts, mut pool) = (starts.len() as u64, starts);
    loop {
        let is_start = inputs < starts;
        let input = if is_start { pool[inputs as usize].clone() } else { changed(&mut random, &pool) };
        inputs += 1;
        match catch_unwind(AssertUnwindSafe(|| parse(&input))) {
            Ok(outcome) => {
                let mut hasher = DefaultHasher::new();
                outcome.hash(&mut hasher);
                if seen.insert(hasher.finish()) && !is_start && pool.len() < 10_000 {
                    pool.push(input);
                }
            }
            Err(panic) => {
                let folder = root().join("target/fuzz");
                fs::create_dir_all(&folder).unwrap();
                let file = folder.join(format!("{name}-{seed}-{inputs}"));
                fs::write(&file, &input).unwrap();
                eprintln!("{name}: input {inputs} of seed {seed} failed; it is in {}", file.display());
                resume_unwind(panic);
            }
        }
        let done = match seconds {
            Some(seconds) => began.elapsed() >= Duration::from_secs(seconds),
            None => inputs >= INPUTS,
        };
        if done && inputs >= starts {
            break;
        }
    }
    println!("{name}: {inputs} inputs in {:.0?}, {} kinds of outcome", began.elapsed(), seen.len());
}
