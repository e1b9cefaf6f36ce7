//! The rules in force: those of the file, and those that came through the API.

use std::collections::BTreeMap;
use std::sync::Arc;

use liqheat_alerts::{Rule, RuleFields};
use liqheat_store::StoreError;

/// Most rules that may come through the API.
const API_RULES_MAX: usize = 200;

/// Why a rule is not accepted or deleted.
#[derive(Debug)]
pub(crate) enum RuleRefusal {
    /// A field is wrong; the sentence says which.
    Wrong(String),
    /// Its name is that of a rule in the file.
    OfFile,
    /// There are 200 rules of the API already.
    TooMany,
    /// It could not be stored.
    Store(StoreError),
}

impl From<StoreError> for RuleRefusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Rules by where they come from. A rule of the file hides one of the API with the same name.
#[derive(Debug, Default)]
pub(super) struct RuleBook {
    of_file: Vec<Arc<Rule>>,
    /// By name.
    of_api: BTreeMap<String, Arc<Rule>>,
}

impl RuleBook {
    pub(super) fn set_file_rules(&mut self, rules: Vec<Rule>) {
        self.of_file = rules.into_iter().map(Arc::new).collect();
    }

    pub(super) fn set_api_rules(&mut self, rules: impl IntoIterator<Item = Rule>) {
        self.of_api = rules.into_iter().map(|rule| (rule.name().to_owned(), Arc::new(rule))).collect();
    }

    /// All rules in force, those of the file first, each with whether it came through the API.
    pub(super) fn in_force(&self) -> Vec<(Arc<Rule>, bool)> {
        let of_file = self.of_file.iter().map(|rule| (Arc::clone(rule), false));
        let of_api = self.of_api.values().filter(|rule| !self.is_of_file(rule.name()));
        of_file.chain(of_api.map(|rule| (Arc::clone(rule), true))).collect()
    }

    pub(super) fn is_of_file(&self, name: &str) -> bool {
        self.of_file.iter().any(|rule| rule.name() == name)
    }

    /// Number of rules, hidden ones included.
    pub(super) fn len(&self) -> usize {
        self.of_file.len() + self.of_api.len()
    }

    /// Whether there is room for a rule of the API with this name.
    pub(super) fn has_room(&self, name: &str) -> bool {
        self.of_api.len() < API_RULES_MAX || self.of_api.contains_key(name)
    }

    /// Adds a rule of the API, in place of an earlier one of the same name.
    pub(super) fn insert(&mut self, rule: Arc<Rule>) {
        self.of_api.insert(rule.name().to_owned(), rule);
    }

    /// Removes a rule of the API; `false` when there is none of this name.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        self.of_api.remove(name).is_some()
    }
}

/// Checks a rule against the symbols that are served and the targets that are configured.
///
/// # Errors
/// [`RuleRefusal::Wrong`] with the field that is wrong.
pub(super) fn checked(
    fields: RuleFields,
    is_served: impl Fn(&str) -> bool,
    is_target: impl Fn(&str) -> bool,
) -> Result<Rule, RuleRefusal> {
    let rule = Rule::new(fields).map_err(|error| RuleRefusal::Wrong(error.to_string()))?;
    if let Some(symbol) = rule.fields().symbols.iter().find(|symbol| !is_served(symbol)) {
        let symbol: String = symbol.chars().take(40).collect();
        return Err(RuleRefusal::Wrong(format!("symbol '{symbol}' is not served; see /v1/symbols")));
    }
    if let Some(target) = rule.fields().targets.iter().find(|target| !is_target(target)) {
        let target: String = target.chars().take(64).collect();
        return Err(RuleRefusal::Wrong(format!(
            "there is no target '{target}'; targets stand in the file of --alerts"
        )));
    }
    Ok(rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(name: &str, more: &str) -> RuleFields {
        let text = format!(r#"{{ "name": "{name}", "kind": "liquidation", "min_usd": 1000{more} }}"#);
        serde_json::from_str(&text).unwrap()
    }

    fn rule(name: &str) -> Rule {
        Rule::new(fields(name, "")).unwrap()
    }

    fn names(book: &RuleBook) -> Vec<(String, bool)> {
        book.in_force().iter().map(|(rule, is_of_api)| (rule.name().to_owned(), *is_of_api)).collect()
    }

    #[test]
    fn a_rule_of_the_file_hides_one_of_the_api_while_it_is_there() {
        let mut book = RuleBook::default();
        book.set_api_rules([rule("b"), rule("a")]);
        book.set_file_rules(vec![rule("z"), rule("a")]);
        assert_eq!(names(&book), [("z".into(), false), ("a".into(), false), ("b".into(), true)]);
        assert!(book.is_of_file("a") && !book.is_of_file("b"));
        book.set_file_rules(Vec::new());
        assert_eq!(names(&book), [("a".into(), true), ("b".into(), true)]);
        assert!(book.remove("a") && !book.remove("a"));
        assert_eq!(book.len(), 1);
    }

    #[test]
    fn a_full_book_takes_only_rules_that_replace_one() {
        let mut book = RuleBook::default();
        for number in 0..API_RULES_MAX {
            let name = format!("r{number}");
            assert!(book.has_room(&name));
            book.insert(Arc::new(rule(&name)));
        }
        assert!(book.has_room("r7") && !book.has_room("new"));
        book.insert(Arc::new(rule("r7")));
        assert_eq!(book.len(), API_RULES_MAX);
    }

    #[test]
    fn symbols_and_targets_of_a_rule_must_exist() {
        let check =
            |more: &str| checked(fields("a", more), |symbol| symbol == "BTCUSDT", |target| target == "desk");
        assert!(check(r#", "symbols": ["BTCUSDT"], "targets": ["desk"]"#).is_ok());
        for (more, part) in [
            (r#", "symbols": ["ETHUSDT"]"#, "symbol 'ETHUSDT'"),
            (r#", "targets": ["pager"]"#, "target 'pager'"),
        ] {
            let Err(RuleRefusal::Wrong(words)) = check(more) else { panic!("{more}") };
            assert!(words.contains(part), "{words}");
        }
    }
}
