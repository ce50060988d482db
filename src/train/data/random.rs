//! Where every random number of the trainer's data comes from.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// The generator for one thing: of the run's seed, of what it is for (a phase, and what in it), and of a
/// number (a sample's position, an epoch). No other thing that is drawn changes what this one gets.
pub fn generator(seed: u64, what: [&str; 2], number: u64) -> ChaCha8Rng {
    let mut hash = Sha256::new().chain_update(seed.to_le_bytes()).chain_update(number.to_le_bytes());
    for word in what {
        // With its length: ("ab", "c") is not ("a", "bc").
        hash.update((word.len() as u64).to_le_bytes());
        hash.update(word);
    }
    ChaCha8Rng::from_seed(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;

    #[test]
    fn each_thing_has_its_own_numbers_and_always_the_same() {
        let draw = |seed, what, number| generator(seed, what, number).random::<u64>();
        let one = draw(1, ["closed", "order"], 0);
        assert_eq!(one, draw(1, ["closed", "order"], 0));
        let others = [
            draw(2, ["closed", "order"], 0),
            draw(1, ["closed", "order"], 1),
            draw(1, ["open", "order"], 0),
            draw(1, ["closedo", "rder"], 0),
        ];
        assert!(others.iter().all(|other| *other != one));
    }
}
