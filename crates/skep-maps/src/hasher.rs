//! The hash of hash maps: keyed, so that nobody who chooses keys can choose buckets, and fast for short keys.
//!
//! Words are mixed by multiplication to 128 bits and folding of the halves, with secret numbers added to both factors.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::OnceLock;

/// The secret of one map.
#[derive(Clone, Copy)]
pub(crate) struct Seed {
    first: u64,
    second: u64,
}

/// Digits of pi's fraction: numbers with nothing up their sleeve.
const PI: [u64; 4] =
    [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344, 0xa409_3822_299f_31d0, 0x082e_fa98_ec4e_6c89];

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

impl Seed {
    /// A seed from the host's randomness, as the standard library's hash maps use it.
    pub(crate) fn random() -> Seed {
        let random = RandomState::new();
        let number = |tweak: u64| {
            let mut hasher = random.build_hasher();
            hasher.write_u64(tweak);
            hasher.finish()
        };
        Seed { first: number(1) ^ PI[0], second: number(2) ^ PI[1] }
    }

    /// The seed of maps with `BPF_F_ZERO_SEED`: all of this process agree on the order of their elements. It is no number that
    /// others know, for with one a program could put all its keys into the same bucket and make every step a long one.
    pub(crate) fn zero() -> Seed {
        static SHARED: OnceLock<Seed> = OnceLock::new();
        *SHARED.get_or_init(Seed::random)
    }

    /// Hash of a key: its words, the last one filled up with zeroes. Keys of one map all have the same length.
    #[inline]
    pub(crate) fn hash(self, words: &[u64]) -> u32 {
        let hash = match *words {
            [word] => fold(word ^ self.first, self.second),
            [low, high] => fold(low ^ self.first, high ^ self.second),
            _ => {
                let mut state = self.first;
                let (pairs, rest) = words.as_chunks::<2>();
                for [low, high] in pairs {
                    state = fold(low ^ state, high ^ self.second);
                }
                for word in rest {
                    state = fold(word ^ state, self.second ^ PI[2]);
                }
                state
            }
        };
        let mixed = fold(hash ^ self.second, PI[3]);
        (mixed ^ (mixed >> 32)) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys that count up, in each of their words, fall into buckets as by chance: of 2^16 in as many buckets no more than a
    /// dozen together.
    #[test]
    fn counting_keys_are_spread() {
        const BUCKETS: usize = 1 << 16;
        for seed in [Seed::zero(), Seed::random(), Seed::random()] {
            for (words, counting) in [(1, 0), (2, 0), (2, 1), (3, 0), (3, 2), (8, 5)] {
                for shift in [0, 16, 48] {
                    let mut buckets = vec![0u8; BUCKETS];
                    for number in 0..BUCKETS as u64 {
                        let mut key = vec![0; words];
                        key[counting] = number << shift;
                        buckets[seed.hash(&key) as usize % BUCKETS] += 1;
                    }
                    let most = buckets.iter().max().unwrap();
                    assert!(
                        *most <= 14,
                        "{most} of {words} words together, word {counting} counting << {shift}"
                    );
                }
            }
        }
    }
}
