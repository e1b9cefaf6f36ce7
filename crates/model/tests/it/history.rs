//! Columns of the picture: taken at the right times, and bands that end where price touched them.

use liqheat_market::{Bar, Price, Qty, UnixMs};
use liqheat_model::{GridError, GridPainter, GridSpec, HistoryGrid, Ledger, NO_PROFILE, history};

use crate::support::{START, flat_bar, ledger};

fn price(value: f64) -> Price {
    Price::from_f64(value).unwrap()
}

const SPEC: GridSpec = GridSpec {
    start: START,
    column_ms: 300_000,
    columns: 20,
    price_low: Price::from_units(9_000_000_000_000),
    bin: Price::from_units(10_000_000_000),
    rows: 200,
};

/// Twenty quiet bars at 100,000, with a dip to 98,000 in the eleventh.
fn bars_with_a_dip() -> Vec<Bar> {
    let mut bars: Vec<Bar> = (0..20).map(|i| flat_bar(i, 100_000.0, 1_000.0 + i as f64)).collect();
    bars[10].low = price(98_000.0);
    bars
}

fn take(bars: &[Bar], spec: GridSpec) -> (HistoryGrid, Ledger) {
    let mut ledger = ledger();
    let grid = history(&mut ledger, bars, NO_PROFILE, spec).unwrap();
    (grid, ledger)
}

fn row_of(at: f64) -> usize {
    ((price(at).units() - SPEC.price_low.units()) / SPEC.bin.units()) as usize
}

#[test]
fn bands_end_where_price_touched_them() {
    let (grid, _) = take(&bars_with_a_dip(), SPEC);
    let long_at = |column: usize, at: f64| grid.column(column).0[row_of(at)];
    // 98,200 holds prior mass that the dip takes; the dip's own bar opens only near its own entries.
    assert!(long_at(9, 98_200.0) > 100.0);
    assert!(long_at(9, 97_500.0) > 100.0);
    assert!(long_at(10, 97_500.0) > 0.9 * long_at(9, 97_500.0), "below the dip the band goes on");
    for column in 10..20 {
        assert!(long_at(column, 98_200.0) < 0.2 * long_at(9, 98_200.0), "column {column}");
    }
    assert_eq!(grid.consumed.iter().filter(|count| **count > 0).count(), 1);
    assert!(grid.consumed[10] > 0 && grid.consumed_usd[10] > 0.0);
    assert!(grid.created.iter().all(|created| *created > 0));
}

#[test]
fn a_swept_level_is_zero_from_then_on() {
    let mut bars = bars_with_a_dip();
    // Nothing opens any more, so whatever shows in the swept rows would be a leftover.
    for bar in &mut bars[10..] {
        bar.open_interest = Qty::from_f64(965.0).ok();
    }
    let (grid, _) = take(&bars, SPEC);
    for column in 10..20 {
        for row in row_of(98_000.0)..row_of(100_000.0) {
            assert_eq!(grid.column(column).0[row], 0.0, "column {column} row {row}");
        }
        assert!(grid.column(column).1[row_of(101_000.0)] > 0.0, "shorts stay");
    }
}

#[test]
fn columns_show_the_ledger_at_their_end() {
    let bars = bars_with_a_dip();
    let spec = GridSpec { start: START.plus(300_000 * 4), column_ms: 600_000, columns: 9, ..SPEC };
    let (grid, end) = take(&bars, spec);
    let mut ledger = ledger();
    for (index, bar) in bars.iter().enumerate() {
        ledger.apply(bar, &[]);
        // Bars 4 and 5 close in column 0, the last two in column 7; column 8 lies in the future.
        if index >= 5 && index % 2 == 1 {
            let (mut long, mut short) = (vec![0.0; spec.rows], vec![0.0; spec.rows]);
            ledger.add_to_column(spec.price_low, spec.bin, None, &mut long, &mut short);
            assert_eq!(grid.column((index - 5) / 2), (long.as_slice(), short.as_slice()), "bar {index}");
        }
    }
    assert!(grid.column(8).0.iter().all(|usd| *usd == 0.0));
    assert_eq!(end.state_hash(), ledger.state_hash());
}

#[test]
fn the_last_column_may_still_be_growing() {
    let spec = GridSpec { column_ms: 3_600_000, columns: 2, ..SPEC };
    let (grid, end) = take(&bars_with_a_dip(), spec);
    let (mut long, mut short) = (vec![0.0; spec.rows], vec![0.0; spec.rows]);
    end.add_to_column(spec.price_low, spec.bin, None, &mut long, &mut short);
    assert_eq!(grid.column(1), (long.as_slice(), short.as_slice()));

    // Between bars the price has swept further, and the newest column says so.
    let swept = |bars: &[Bar], spec: GridSpec| {
        let mut ledger = ledger();
        let mut painter = GridPainter::new(spec).unwrap();
        for bar in bars {
            painter.before(&ledger, bar);
            let step = ledger.apply(bar, &[]);
            painter.after(bar, &step);
        }
        painter.finish(&ledger, Some((price(97_000.0), price(100_000.0))))
    };
    let tipped = swept(&bars_with_a_dip(), spec);
    assert_eq!(tipped.column(0), grid.column(0));
    assert!(tipped.column(1).0[row_of(97_000.0)..].iter().all(|usd| *usd == 0.0));
    assert_eq!(tipped.column(1).0[..row_of(97_000.0)], grid.column(1).0[..row_of(97_000.0)]);

    // When the last bar ended with its column, the price since then has a column of its own.
    let spec = GridSpec { column_ms: 300_000, columns: 30, ..SPEC };
    let (grid, _) = take(&bars_with_a_dip(), spec);
    let tipped = swept(&bars_with_a_dip(), spec);
    assert!(grid.column(20).0.iter().all(|usd| *usd == 0.0));
    assert!(tipped.column(20).0[row_of(97_000.0)..].iter().all(|usd| *usd == 0.0));
    assert_eq!(tipped.column(20).0[..row_of(97_000.0)], grid.column(19).0[..row_of(97_000.0)]);
    assert!(tipped.column(21).0.iter().all(|usd| *usd == 0.0));
}

#[test]
fn classes_apart_add_up_to_the_whole() {
    let classes = ledger().params().values().weights.classes().len();
    assert!(classes > 3);
    // Rows of whole cells, and rows that split them.
    for bin in [SPEC.bin, Price::from_units(SPEC.bin.units() / 7)] {
        let spec = GridSpec { bin, ..SPEC };
        let mut alone = ledger();
        let whole = history(&mut alone, &bars_with_a_dip(), NO_PROFILE, spec).unwrap();
        let mut ledger = ledger();
        let painter = GridPainter::split(spec, classes).unwrap();
        let grid = painter.over(&mut ledger, &bars_with_a_dip(), NO_PROFILE);
        assert_eq!((&grid.long, &grid.short), (&whole.long, &whole.short));
        assert_eq!(grid.classes.len(), classes);
        let mut lit = vec![0; classes];
        for cell in 0..grid.long.len() {
            let sum: f32 = grid.classes.iter().map(|plane| plane[cell]).sum();
            let total = grid.long[cell] + grid.short[cell];
            assert!((sum - total).abs() <= total * 1e-4 + 1e-3, "cell {cell}: {sum} of {total}");
            for (lit, plane) in lit.iter_mut().zip(&grid.classes) {
                *lit += usize::from(plane[cell] > 0.0);
            }
        }
        // The lowest leverage lies beyond the rows.
        assert!(lit[1..].iter().all(|lit| *lit > 0), "classes have cells: {lit:?}");
        // Rows of whole cells lie like the ledger's own bins, so each class can be compared by itself.
        if bin != SPEC.bin {
            continue;
        }
        let levels = ledger.levels_by_leverage(spec.bin, None);
        let last = spec.columns - 1;
        for (class, &(leverage, _)) in ledger.params().values().weights.classes().iter().enumerate() {
            let of_class = levels.iter().filter(|level| level.leverage == leverage);
            let within = of_class.filter(|level| level.price >= spec.price_low);
            let expected: f64 = within
                .filter(|level| {
                    ((level.price.units() - spec.price_low.units()) / spec.bin.units()) < spec.rows as i64
                })
                .map(|level| level.long_usd + level.short_usd)
                .sum();
            let cells = last * spec.rows..(last + 1) * spec.rows;
            let drawn: f64 = grid.classes[class][cells].iter().map(|usd| f64::from(*usd)).sum();
            assert!((drawn - expected).abs() <= expected * 1e-4 + 1e-2, "{leverage}x: {drawn} of {expected}");
        }
    }
    let wide = GridSpec { columns: 2_000, rows: 1_000, ..SPEC };
    assert!(GridPainter::new(wide).is_ok());
    let refused = GridPainter::split(wide, classes).unwrap_err();
    assert_eq!(refused, GridError::Size { columns: 2_000, rows: 1_000, max: GridSpec::CELLS_MAX_SPLIT });
}

#[test]
fn holes_hold_for_a_while_and_then_go_blank() {
    let mut bars = vec![flat_bar(0, 100_000.0, 1_000.0), flat_bar(1, 100_000.0, 1_000.0)];
    bars.push(flat_bar(200, 100_000.0, 1_000.0));
    let spec = GridSpec { column_ms: 3_600_000, columns: 18, ..SPEC };
    let (grid, _) = take(&bars, spec);
    let filled = |column: usize| grid.column(column).0.iter().any(|usd| *usd > 0.0);
    let seen: Vec<usize> = (0..18).filter(|column| filled(*column)).collect();
    assert_eq!(seen, [0, 1, 2, 3, 4, 5, 6, 16]);
    let (grid, _) = take(&[], spec);
    assert!(grid.long.iter().chain(&grid.short).all(|usd| *usd == 0.0));
}

#[test]
fn rows_keep_their_price_when_the_grid_changes() {
    let mut bars: Vec<Bar> = (0..10).map(|i| flat_bar(i, 100_000.0, 1_000.0)).collect();
    bars.extend((10..20).map(|i| flat_bar(i, 79_000.0, 1_000.0)));
    let spec = GridSpec { price_low: price(50_000.0), rows: 1_000, ..SPEC };
    let (grid, ledger) = take(&bars, spec);
    assert_eq!(ledger.grid_version(), 2);
    let short_sum = |column: usize| -> f64 { grid.column(column).1.iter().map(|usd| f64::from(*usd)).sum() };
    assert!(short_sum(10) > 0.9 * short_sum(9), "{} {}", short_sum(9), short_sum(10));
    let top = |column: usize| grid.column(column).1.iter().rposition(|usd| *usd > 1.0).unwrap();
    assert!(top(9).abs_diff(top(10)) <= 1);
}

#[test]
fn pictures_have_bounds() {
    let refused = |spec| history(&mut ledger(), &[], NO_PROFILE, spec).unwrap_err();
    assert!(matches!(refused(GridSpec { columns: 0, ..SPEC }), GridError::Size { .. }));
    assert!(matches!(refused(GridSpec { columns: usize::MAX, ..SPEC }), GridError::Size { .. }));
    assert!(matches!(refused(GridSpec { columns: 100_000, ..SPEC }), GridError::Size { .. }));
    assert_eq!(refused(GridSpec { column_ms: 0, ..SPEC }), GridError::Column(0));
    assert!(matches!(refused(GridSpec { bin: Price::default(), ..SPEC }), GridError::Rows { .. }));
    let far = GridSpec { start: UnixMs(i64::MAX - 5), ..SPEC };
    assert!(history(&mut ledger(), &bars_with_a_dip(), NO_PROFILE, far).is_ok());
}
