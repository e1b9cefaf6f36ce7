//! The outbox of alerts in a real file.

use liqheat_market::UnixMs;
use liqheat_store::{Location, Settings, Store, StoredAlert};

fn alert(id: &str, time: i64) -> StoredAlert {
    StoredAlert { id: id.to_owned(), time: UnixMs(time), body: format!("{{\"it's\":\"{id}\"}}") }
}

#[test]
fn deliveries_stand_in_the_file_until_they_are_finished() {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::File(folder.path().join("market.duckdb"));
    let store = Store::open(location.clone(), Settings::default()).unwrap();
    let targets = vec!["desk".to_owned(), "it's \"odd\"".to_owned()];
    assert!(store.put_alert(alert("a", 5), targets.clone(), UnixMs(50)).blocking().unwrap());
    assert!(!store.put_alert(alert("a", 5), targets, UnixMs(60)).blocking().unwrap(), "known");
    assert!(store.put_alert(alert("b", 7), vec!["desk".to_owned()], UnixMs(51)).blocking().unwrap());
    assert!(store.put_alert(alert("quiet", 8), Vec::new(), UnixMs(52)).blocking().unwrap());
    store.finish_deliveries("desk", vec!["a".to_owned()]).blocking().unwrap();
    store.close_blocking().unwrap();

    let store = Store::open(location, Settings::default()).unwrap();
    let outstanding = store.outstanding_deliveries().blocking().unwrap();
    let shown: Vec<_> =
        outstanding.iter().map(|one| (one.target.as_str(), one.queued.0, one.alert.clone())).collect();
    assert_eq!(shown, [("it's \"odd\"", 50, alert("a", 5)), ("desk", 51, alert("b", 7))]);
    let recent = store.recent_alerts(2).blocking().unwrap();
    assert_eq!(recent, [alert("b", 7), alert("quiet", 8)]);
    store.close_blocking().unwrap();
}

#[test]
fn rules_are_kept_by_name() {
    let store = Store::open(Location::Memory, Settings::default()).unwrap();
    for (name, fields) in [("b", "{\"x\":1}"), ("a", "{}"), ("b", "{\"x\":2}")] {
        store.put_alert_rule(name, fields.to_owned()).blocking().unwrap();
    }
    assert_eq!(store.alert_rules().blocking().unwrap(), ["{}", "{\"x\":2}"]);
    assert!(store.delete_alert_rule("a").blocking().unwrap());
    assert!(!store.delete_alert_rule("a").blocking().unwrap());
    assert_eq!(store.alert_rules().blocking().unwrap(), ["{\"x\":2}"]);
    store.close_blocking().unwrap();
}
