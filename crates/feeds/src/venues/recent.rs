//! Ids that came before, where ids are unique and in no order.

use std::collections::{HashSet, VecDeque};

/// The newest ids.
#[derive(Debug, Default)]
pub(crate) struct RecentIds {
    order: VecDeque<i64>,
    ids: HashSet<i64>,
}

impl RecentIds {
    /// More than what two connections can bring twice between them.
    const REMEMBERED: usize = 65_536;

    /// Remembers an id; whether it had not come before.
    pub(crate) fn is_new(&mut self, id: i64) -> bool {
        if !self.ids.insert(id) {
            return false;
        }
        if self.order.len() == Self::REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
        self.order.push_back(id);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten() {
        let mut recent = RecentIds::default();
        let most = i64::try_from(RecentIds::REMEMBERED).unwrap();
        assert!((0..most).all(|id| recent.is_new(id)));
        assert!(!recent.is_new(0));
        assert!(recent.is_new(most));
        assert!(recent.is_new(0), "it made room for the newest");
        assert!(!recent.is_new(2));
    }
}
