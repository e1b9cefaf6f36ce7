//! A watch by examples, and its promises under random observations.

use std::collections::BTreeSet;

use liqheat_market::{Liquidation, PriceKind, Qty, Side, Venue};
use proptest::prelude::*;

use super::*;
use crate::rule::RuleFields;

const USD: i64 = 100_000_000;

fn at(usd: f64) -> Price {
    Price::from_units((usd * USD as f64) as i64)
}

fn rule(json: &str) -> Arc<Rule> {
    let fields: RuleFields = serde_json::from_str(json).unwrap();
    Arc::new(Rule::new(fields).unwrap())
}

fn watch(rules: &[&str]) -> SymbolWatch {
    let mut watch = SymbolWatch::new("BTCUSDT");
    watch.set_rules(rules.iter().map(|json| rule(json)));
    watch
}

fn wall(side: Side, low: f64, high: f64, usd: u64) -> WallSpan {
    WallSpan { side, low: at(low), high: at(high), peak: at(low), usd }
}

fn prices(from_s: i64, low: f64, high: f64, last: f64) -> Observation {
    Observation::Prices { from: UnixMs(from_s * 1_000), low: at(low), high: at(high), last: at(last) }
}

fn liquidation(time_s: i64, side: Side, price: f64, coins: i64) -> Observation {
    Observation::Liquidation(ReportedLiquidation {
        venue: Venue::Bybit,
        liquidation: Liquidation {
            time: UnixMs(time_s * 1_000),
            side,
            qty: Qty::from_units(i128::from(coins) * i128::from(USD)),
            price: at(price),
            price_kind: PriceKind::Bankruptcy,
        },
    })
}

impl SymbolWatch {
    /// The texts of what an observation raises.
    fn texts(&mut self, now_s: i64, observation: Observation) -> Vec<String> {
        self.observe(observation, UnixMs(now_s * 1_000)).iter().map(Alert::text).collect()
    }
}

const NEAR: &str = r#"{"name":"near","kind":"near_wall","min_usd":1000,"within_pct":1,"cooldown_s":1}"#;

#[test]
fn a_price_near_a_wall_is_reported_once_until_it_was_clearly_away() {
    let mut watch = watch(&[NEAR]);
    let walls = || {
        Observation::Walls(vec![wall(Side::Long, 90.0, 91.0, 5_000), wall(Side::Short, 130.0, 131.0, 900)])
    };
    assert_eq!(watch.texts(0, prices(0, 100.0, 100.0, 100.0)), Vec::<String>::new());
    assert_eq!(watch.texts(0, walls()), Vec::<String>::new());
    let expected = "BTCUSDT: price is 0.66 % from a long wall of $5.00k at 90-91. Price 91.6.";
    assert_eq!(watch.texts(10, prices(0, 91.6, 100.0, 91.6)), [expected]);
    // Around the limit, and a wall that flickers.
    for (step, price) in [91.95, 91.8, 92.4, 91.5, 92.7].into_iter().enumerate() {
        let now = 20 + step as i64 * 10;
        assert_eq!(watch.texts(now, prices(now, price, price, price)), Vec::<String>::new(), "{price}");
        let seen = if step % 2 == 0 { Observation::Walls(Vec::new()) } else { walls() };
        assert_eq!(watch.texts(now, seen), Vec::<String>::new());
    }
    assert_eq!(watch.texts(100, walls()), Vec::<String>::new());
    // Away by more than two per cent, and back.
    assert_eq!(watch.texts(110, prices(100, 95.0, 95.0, 95.0)), Vec::<String>::new());
    assert_eq!(watch.texts(120, prices(110, 91.5, 95.0, 91.5)).len(), 1);
    // A wick counts although the price is away again.
    assert_eq!(watch.texts(130, prices(120, 95.0, 95.0, 95.0)), Vec::<String>::new());
    assert_eq!(
        watch.texts(140, prices(130, 91.2, 95.0, 95.0)),
        ["BTCUSDT: price is 0.22 % from a long wall of $5.00k at 90-91. Price 95."]
    );
}

#[test]
fn a_swept_wall_is_reported_with_what_was_liquidated_there() {
    let mut watch = watch(&[r#"{"name":"swept","kind":"wall_swept","min_usd":1000,"cooldown_s":60}"#]);
    let nothing = Vec::<String>::new();
    watch.texts(0, prices(0, 100.0, 100.0, 100.0));
    watch.texts(
        0,
        Observation::Walls(vec![wall(Side::Long, 90.0, 92.0, 5_000), wall(Side::Short, 104.0, 105.0, 9_000)]),
    );
    // Touched, and what remains of the wall is smaller.
    assert_eq!(watch.texts(10, prices(0, 91.0, 100.0, 91.0)), nothing);
    assert_eq!(watch.texts(10, Observation::Walls(vec![wall(Side::Long, 90.0, 91.0, 500)])), nothing);
    assert_eq!(watch.texts(11, liquidation(9, Side::Long, 91.5, 10)), nothing);
    assert_eq!(watch.texts(11, liquidation(9, Side::Long, 91.5, 10)), nothing, "repeated");
    assert_eq!(watch.texts(12, liquidation(9, Side::Short, 91.5, 10)), nothing, "of the other side");
    assert_eq!(watch.texts(12, liquidation(1, Side::Long, 97.0, 10)), nothing, "elsewhere");
    // Through.
    assert_eq!(watch.texts(20, prices(10, 89.0, 91.0, 89.0)), nothing);
    assert_eq!(watch.texts(25, liquidation(21, Side::Long, 90.1, 1)), nothing);
    assert_eq!(watch.texts(30, prices(20, 89.0, 89.0, 89.0)), nothing);
    assert_eq!(
        watch.texts(41, prices(30, 89.0, 89.5, 89.5)),
        [
            "BTCUSDT: price swept a long wall of $5.00k at 90-92; liquidated there: $1.00k in 2 orders. Price 89.5."
        ]
    );
    assert_eq!(watch.texts(200, prices(41, 89.0, 89.0, 89.0)), nothing);
}

#[test]
fn without_any_reported_liquidation_a_sweep_says_so() {
    let mut watch = watch(&[r#"{"name":"swept","kind":"wall_swept","min_usd":1000}"#]);
    watch.texts(0, prices(0, 100.0, 100.0, 100.0));
    watch.texts(0, Observation::Walls(vec![wall(Side::Short, 104.0, 105.0, 9_000)]));
    watch.texts(10, prices(0, 100.0, 106.0, 103.0));
    let alerts = watch.observe(prices(10, 103.0, 103.0, 103.0), UnixMs(40_000));
    assert!(matches!(alerts[0].subject, Subject::WallSwept { liquidated: None, .. }), "{alerts:?}");
    assert!(alerts[0].text().contains("no liquidations of this market are reported"));
}

#[test]
fn a_touched_wall_that_the_price_leaves_is_not_swept() {
    let mut watch = watch(&[r#"{"name":"swept","kind":"wall_swept","min_usd":1000,"cooldown_s":1}"#]);
    watch.texts(0, prices(0, 100.0, 100.0, 100.0));
    watch.texts(0, Observation::Walls(vec![wall(Side::Long, 90.0, 92.0, 5_000)]));
    watch.texts(10, prices(0, 91.0, 100.0, 100.0));
    watch.texts(10, Observation::Walls(Vec::new()));
    watch.texts(20, prices(10, 80.0, 100.0, 80.0));
    assert_eq!(watch.texts(60, prices(20, 80.0, 80.0, 80.0)), Vec::<String>::new());
}

#[test]
fn what_happens_within_the_cooldown_is_counted_in_the_next_alert() {
    let mut watch = watch(&[r#"{"name":"big","kind":"liquidation","min_usd":1000,"cooldown_s":60}"#]);
    let nothing = Vec::<String>::new();
    assert_eq!(watch.texts(100, prices(100, 100.0, 100.0, 100.0)), nothing);
    assert_eq!(watch.texts(100, liquidation(50, Side::Long, 100.0, 99)), nothing, "before the watch began");
    assert_eq!(
        watch.texts(101, liquidation(101, Side::Long, 100.0, 20)),
        ["BTCUSDT: long of $2.00k liquidated at 100 on bybit. Price 100."]
    );
    assert_eq!(watch.texts(102, liquidation(101, Side::Long, 100.0, 20)), nothing, "known");
    assert_eq!(watch.texts(103, liquidation(102, Side::Short, 100.0, 30)), nothing);
    assert_eq!(watch.texts(104, liquidation(103, Side::Long, 100.0, 9)), nothing, "too small");
    assert_eq!(watch.texts(105, liquidation(104, Side::Long, 100.0, 10)), nothing);
    assert_eq!(
        watch.texts(161, Observation::Feed(UnixMs(161_000))),
        [
            "BTCUSDT: short of $3.00k liquidated at 100 on bybit (2 of them since the last alert, $4.00k in all). Price 100."
        ]
    );
    assert_eq!(watch.texts(300, Observation::Feed(UnixMs(300_000))), nothing);
}

#[test]
fn a_cascade_is_reported_once_until_it_has_ended() {
    let mut watch = watch(&[r#"{"name":"c","kind":"cascade","min_usd":1000,"window_s":60,"cooldown_s":1}"#]);
    let nothing = Vec::<String>::new();
    watch.texts(0, prices(0, 100.0, 100.0, 100.0));
    assert_eq!(watch.texts(10, liquidation(10, Side::Long, 100.0, 6)), nothing);
    assert_eq!(
        watch.texts(20, liquidation(20, Side::Short, 100.0, 5)),
        ["BTCUSDT: $1.10k liquidated within 1 min: longs $600, shorts $500. Price 100."]
    );
    for now in 21..120 {
        assert_eq!(
            watch.texts(now, liquidation(now, Side::Long, 100.0, 1)),
            nothing,
            "{now}: still the same one"
        );
    }
    // Quiet, then another one.
    assert_eq!(watch.texts(400, Observation::Feed(UnixMs(400_000))), nothing);
    assert_eq!(watch.texts(401, liquidation(401, Side::Long, 100.0, 11)).len(), 1);
}

#[test]
fn walls_form_and_vanish() {
    let formed = r#"{"name":"f","kind":"wall_formed","min_usd":1000,"within_pct":20,"cooldown_s":1}"#;
    let vanished = r#"{"name":"v","kind":"wall_vanished","min_usd":1000,"within_pct":20,"cooldown_s":1}"#;
    let mut watch = watch(&[formed, vanished]);
    let nothing = Vec::<String>::new();
    let (below, above) = (wall(Side::Long, 90.0, 91.0, 2_000), wall(Side::Short, 110.0, 111.0, 3_000));
    watch.texts(0, prices(0, 100.0, 100.0, 100.0));
    assert_eq!(watch.texts(0, Observation::Walls(vec![below])), nothing, "the first walls are not new");
    assert_eq!(
        watch.texts(10, Observation::Walls(vec![below, above])),
        ["BTCUSDT: new wall 10.00 % away: a short wall of $3.00k at 110-111. Price 100."]
    );
    // Smaller, but still one.
    let smaller = WallSpan { usd: 800, ..above };
    assert_eq!(watch.texts(20, Observation::Walls(vec![below, smaller])), nothing);
    assert_eq!(watch.texts(30, Observation::Walls(vec![below, above])), nothing);
    // Touched walls go without a word, others do not.
    assert_eq!(watch.texts(40, prices(30, 90.5, 100.0, 95.0)), nothing);
    assert_eq!(
        watch.texts(40, Observation::Walls(Vec::new())),
        ["BTCUSDT: wall 15.79 % away is gone without a touch: a short wall of $3.00k at 110-111. Price 95."]
    );
    let far = wall(Side::Short, 200.0, 201.0, 9_000);
    assert_eq!(watch.texts(50, Observation::Walls(vec![far])), nothing, "beyond within_pct");
}

#[test]
fn a_stale_feed_is_reported_once_until_it_has_caught_up() {
    let mut watch = watch(&[r#"{"name":"s","kind":"feed_stale","after_s":60,"cooldown_s":1}"#]);
    let feed = |watch: &mut SymbolWatch, now: i64, as_of: i64| {
        watch.texts(now, Observation::Feed(UnixMs(as_of * 1_000)))
    };
    assert_eq!(feed(&mut watch, 59, 0), Vec::<String>::new());
    assert_eq!(feed(&mut watch, 60, 0), ["BTCUSDT: no new data since 1970-01-01T00:00:00Z. Price 0."]);
    assert_eq!(feed(&mut watch, 100, 0), Vec::<String>::new());
    assert_eq!(feed(&mut watch, 110, 70), Vec::<String>::new(), "not yet caught up");
    assert_eq!(feed(&mut watch, 131, 70), Vec::<String>::new());
    assert_eq!(feed(&mut watch, 140, 139), Vec::<String>::new());
    assert_eq!(feed(&mut watch, 199, 139).len(), 1);
}

#[test]
fn a_restart_raises_nothing_again() {
    let rules = [NEAR, r#"{"name":"s","kind":"feed_stale","cooldown_s":1}"#];
    let walls = || Observation::Walls(vec![wall(Side::Long, 90.0, 91.0, 5_000)]);
    let mut before = watch(&rules);
    before.texts(0, prices(0, 91.5, 91.5, 91.5));
    let mut raised = before.observe(walls(), UnixMs(0));
    raised.extend(before.observe(Observation::Feed(UnixMs(-100_000)), UnixMs(1_000)));
    assert_eq!(raised.len(), 2);
    // Through the form in which they are stored.
    let stored: Vec<Alert> = raised
        .iter()
        .map(|alert| serde_json::from_str(&serde_json::to_string(alert).unwrap()).unwrap())
        .collect();
    assert_eq!(stored, raised);
    let mut after = watch(&rules);
    stored.iter().for_each(|alert| after.restore(alert));
    assert_eq!(after.texts(10, prices(0, 91.5, 91.5, 91.5)), Vec::<String>::new());
    assert_eq!(after.texts(10, walls()), Vec::<String>::new());
    assert_eq!(after.texts(10, Observation::Feed(UnixMs(-100_000))), Vec::<String>::new());
}

#[test]
fn other_rules_leave_the_memory_of_a_rule_alone() {
    let mut watch = watch(&[NEAR]);
    watch.texts(0, prices(0, 91.5, 91.5, 91.5));
    let walls = || Observation::Walls(vec![wall(Side::Long, 90.0, 91.0, 5_000)]);
    assert_eq!(watch.texts(0, walls()).len(), 1);
    watch.set_rules([rule(r#"{"name":"s","kind":"feed_stale"}"#), rule(NEAR)]);
    assert_eq!(watch.texts(10, walls()), Vec::<String>::new());
    watch.set_rules([]);
    assert!(watch.is_idle());
}

#[test]
fn quiet_hours_mark_an_alert() {
    let quiet = r#"{"name":"s","kind":"feed_stale","quiet_hours":{"from":"00:00","to":"01:00"}}"#;
    let mut watch = watch(&[quiet]);
    assert!(watch.observe(Observation::Feed(UnixMs(0)), UnixMs(3_599_000))[0].quiet);
}

/// Whole rule sets over random markets.
fn observations() -> impl Strategy<Value = Vec<(u16, Observation)>> {
    let price = 80.0..120.0f64;
    let side = prop::sample::select(Side::BOTH.to_vec());
    let walls = prop::collection::vec((side.clone(), 70.0..130.0f64, 0.1..4.0f64, 0u64..5_000), 0..6);
    let one = prop_oneof![
        (price.clone(), price.clone(), price.clone()).prop_map(|(a, b, c)| prices(0, a.min(b), a.max(b), c)),
        walls.prop_map(|walls| {
            let mut apart: Vec<WallSpan> = Vec::new();
            for (side, low, width, usd) in walls {
                let wall = wall(side, low, low + width, usd);
                if !apart.iter().any(|one| one.overlaps(&wall)) {
                    apart.push(wall);
                }
            }
            Observation::Walls(apart)
        }),
        (0i64..4_000, side, price, 1i64..60)
            .prop_map(|(time, side, price, coins)| liquidation(time, side, price, coins)),
        (0i64..4_000).prop_map(|as_of| Observation::Feed(UnixMs(as_of * 1_000))),
    ];
    prop::collection::vec((0u16..40, one), 0..300)
}

fn all_kinds(cooldown: u64) -> Vec<String> {
    let rule = |kind: &str, more: &str| {
        format!(r#"{{"name":"{kind}","kind":"{kind}","cooldown_s":{cooldown}{more}}}"#)
    };
    vec![
        rule("near_wall", r#","min_usd":1000,"within_pct":1"#),
        rule("wall_swept", r#","min_usd":1000"#),
        rule("liquidation", r#","min_usd":2000"#),
        rule("cascade", r#","min_usd":3000,"window_s":60"#),
        rule("wall_formed", r#","min_usd":1000"#),
        rule("wall_vanished", r#","min_usd":1000,"within_pct":30"#),
        rule("feed_stale", r#","after_s":60"#),
    ]
}

proptest! {
    /// No id twice, the cooldown holds, and a liquidation is counted once however often it is reported.
    #[test]
    fn none_twice_and_the_cooldown_holds(observations in observations(), cooldown in 1u64..200) {
        let rules = all_kinds(cooldown);
        let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
        let (mut once, mut repeated) = (watch(&rules), watch(&rules));
        let (mut now, mut all) = (0i64, Vec::new());
        for (pause, observation) in observations {
            now += i64::from(pause);
            let raised = once.observe(observation.clone(), UnixMs(now * 1_000));
            let again = repeated.observe(observation.clone(), UnixMs(now * 1_000));
            prop_assert_eq!(&raised, &again);
            // The same again in the same moment raises nothing.
            prop_assert_eq!(repeated.observe(observation, UnixMs(now * 1_000)), Vec::new());
            all.extend(raised);
        }
        let ids: BTreeSet<&str> = all.iter().map(|alert| alert.id.as_str()).collect();
        prop_assert_eq!(ids.len(), all.len());
        for rule in rules.iter().map(|json| rule(json)) {
            let times: Vec<i64> = all.iter().filter(|alert| alert.rule == rule.name()).map(|alert| alert.time.0).collect();
            prop_assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= cooldown as i64 * 1_000), "{} {times:?}", rule.name());
        }
    }

    /// Between two alerts about walls that overlap the price was clearly away.
    #[test]
    fn a_wall_is_reported_again_only_after_the_price_was_away(path in prop::collection::vec(90.0..96.0f64, 1..300)) {
        let mut watch = watch(&[NEAR]);
        watch.observe(Observation::Walls(vec![wall(Side::Long, 90.0, 91.0, 5_000)]), UnixMs(0));
        let mut was_away = true;
        for (step, price) in path.into_iter().enumerate() {
            let now = UnixMs((step as i64 + 1) * 10_000);
            let raised = watch.observe(Observation::Prices { from: now, low: at(price), high: at(price), last: at(price) }, now);
            prop_assert!(raised.is_empty() || was_away, "{price}");
            let distance = (91.0 / price - 1.0).abs() * 100.0;
            was_away = if raised.is_empty() { was_away || (price > 91.0 && distance > 2.0) } else { false };
        }
    }

    /// Every liquidation that is large enough is in exactly one alert.
    #[test]
    fn no_large_liquidation_is_lost(times in prop::collection::vec((0i64..50, 1i64..60), 0..100)) {
        let mut watch = watch(&[r#"{"name":"big","kind":"liquidation","min_usd":2000,"cooldown_s":120}"#]);
        watch.texts(0, prices(0, 100.0, 100.0, 100.0));
        let (mut now, mut reported, mut expected) = (0i64, 0u64, 0u64);
        for (index, (pause, coins)) in times.into_iter().enumerate() {
            now += pause;
            // Prices tell rows of one second apart.
            let price = 100.0 + index as f64 / 1_000.0;
            let Observation::Liquidation(row) = liquidation(now, Side::Long, price, coins) else { continue };
            expected += if row.usd() >= 2_000 { row.usd() } else { 0 };
            reported += watch.observe(Observation::Liquidation(row), UnixMs(now * 1_000)).iter().map(|alert| alert.total_usd).sum::<u64>();
        }
        let last = watch.observe(Observation::Feed(UnixMs(0)), UnixMs((now + 1_000) * 1_000));
        prop_assert_eq!(reported + last.iter().map(|alert| alert.total_usd).sum::<u64>(), expected);
    }
}
