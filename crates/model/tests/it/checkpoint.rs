//! Replays give the same bits; a checkpoint plus the later bars is the whole replay.

use liqheat_market::TierTable;
use liqheat_market::UnixMs;
use liqheat_model::{CheckpointError, Ledger, ParamValues, Params};
use proptest::prelude::*;

use crate::support::{closed_by_class, flat_bar, ledger, market, tiers};

fn decode(bytes: &[u8]) -> Result<Ledger, CheckpointError> {
    Ledger::decode(bytes, Params::default(), tiers())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_checkpoint_continues_bit_for_bit(bars in market(40), cut in 0.0f64..=1.0, by_class in any::<bool>()) {
        let cut = (bars.len() as f64 * cut) as usize;
        let values = if by_class { closed_by_class() } else { ParamValues::default() };
        let params = Params::new(values).unwrap();
        let new = || Ledger::new(params.clone(), tiers());
        let mut whole = new();
        let mut first = new();
        for (index, (bar, profile)) in bars.iter().enumerate() {
            whole.apply(bar, profile);
            if index < cut {
                first.apply(bar, profile);
            }
        }
        let bytes = first.encode();
        let mut second = Ledger::decode(&bytes, params.clone(), tiers()).unwrap();
        prop_assert_eq!(second.state_hash(), first.state_hash());
        prop_assert_eq!(second.encode(), bytes);
        for (bar, profile) in &bars[cut..] {
            second.apply(bar, profile);
        }
        prop_assert_eq!(second.state_hash(), whole.state_hash());
        prop_assert_eq!(second.clone().state_hash(), whole.state_hash());
        if let Some(bin) = whole.base_bin() {
            prop_assert_eq!(second.levels(bin, None), whole.levels(bin, None));
        }
    }

    #[test]
    fn damaged_bytes_are_refused(
        bars in market(6),
        at in any::<prop::sample::Index>(),
        flip in 1u8..=255,
        cut in any::<prop::sample::Index>(),
    ) {
        let mut ledger = ledger();
        for (bar, profile) in &bars {
            ledger.apply(bar, profile);
        }
        let bytes = ledger.encode();
        let mut flipped = bytes.clone();
        flipped[at.index(bytes.len())] ^= flip;
        prop_assert!(decode(&flipped).is_err());
        prop_assert!(decode(&bytes[..cut.index(bytes.len())]).is_err());
        // With the checksum made to fit, whatever is accepted must still be a ledger that can be used.
        let body = flipped.len() - 8;
        let checksum = fnv64(&flipped[..body]);
        flipped[body..].copy_from_slice(&checksum.to_le_bytes());
        if let Ok(mut odd) = decode(&flipped) {
            let _ = (odd.check(), odd.seen_share());
            if let Some(bin) = odd.base_bin() {
                let _ = odd.levels(bin, None);
            }
            odd.apply(&flat_bar(1_000_000, 100.0, 10.0), &[]);
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(decode(&bytes).is_err());
        let mut framed = b"LQLG\x01\x00".to_vec();
        framed.extend_from_slice(&bytes);
        let checksum = fnv64(&framed);
        framed.extend_from_slice(&checksum.to_le_bytes());
        prop_assert!(decode(&framed).is_err());
    }
}

fn fnv64(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, b| (hash ^ u64::from(*b)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[test]
fn a_checkpoint_knows_its_rules() {
    let mut started = ledger();
    started.apply(&flat_bar(0, 100_000.0, 1_000.0), &[]);
    let bytes = started.encode();
    let params = Params::new(ParamValues { turnover_share: 0.2, ..ParamValues::default() }).unwrap();
    assert_eq!(Ledger::decode(&bytes, params, tiers()).unwrap_err(), CheckpointError::OtherRules);
    let flat = TierTable::flat(UnixMs(0), 0.01).unwrap();
    assert_eq!(Ledger::decode(&bytes, Params::default(), flat).unwrap_err(), CheckpointError::OtherRules);
    assert_eq!(decode(b"PAR1....").unwrap_err(), CheckpointError::NotACheckpoint);
    let mut newer = bytes.clone();
    newer[4] = 9;
    assert_eq!(decode(&newer).unwrap_err(), CheckpointError::Format { found: 9 });
    assert!(decode(&bytes).is_ok());
    assert!(bytes.len() < 300_000, "zeros and repeats are squeezed: {}", bytes.len());
}

#[test]
fn an_empty_ledger_is_a_state_too() {
    let empty = ledger();
    let mut again = decode(&empty.encode()).unwrap();
    assert_eq!(again.state_hash(), empty.state_hash());
    again.apply(&flat_bar(0, 100_000.0, 1_000.0), &[]);
    assert!(again.check().hold());
}
