//! When it pays to keep a machine's state after a provisioner.
//!
//! Keeping a state costs time now and may save time later. A build from nothing must stay within a tenth of what it
//! takes without a cache, so states are kept as the provisioners' own run time pays for them: half of what may be
//! spent goes to wherever it is earned, the other half is saved for the end, where templates are changed most. Just
//! before a node that somebody works on, a state is kept whatever it costs: the next attempt begins there.

use std::time::Duration;

/// When machines' states are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SnapshotPolicy {
    /// Where it pays.
    #[default]
    Auto,
    /// After every provisioner.
    Always,
    /// Never.
    Never,
}

/// What keeping a state is taken to cost before the first one was kept.
const FIRST_GUESS: Duration = Duration::from_millis(250);

/// What a state would be good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// One of many provisioners follows.
    Inner,
    /// The last provisioner follows, or none.
    Late,
    /// A node follows that was changed or added since the last run.
    WorkedOn,
}

/// What one machine's provisioners have earned, and what of it was spent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    earned: Duration,
    spent: Duration,
    cost: Duration,
}

impl Default for Budget {
    fn default() -> Self {
        Self { earned: Duration::ZERO, spent: Duration::ZERO, cost: FIRST_GUESS }
    }
}

impl Budget {
    /// Takes note of a provisioner's run.
    pub fn earn(&mut self, ran: Duration) {
        self.earned += ran;
    }

    /// Takes note of what keeping a state has cost.
    pub fn spend(&mut self, cost: Duration) {
        self.spent += cost;
        self.cost = cost;
    }

    /// Tells whether keeping a state pays.
    pub fn allows(&self, purpose: Use, policy: SnapshotPolicy) -> bool {
        match policy {
            SnapshotPolicy::Always => return true,
            SnapshotPolicy::Never => return false,
            SnapshotPolicy::Auto => {}
        }
        let share = match purpose {
            Use::WorkedOn => return true,
            Use::Inner => 0.04,
            Use::Late => 0.08,
        };
        self.spent + self.cost <= self.earned.mul_f64(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays a lane; returns after which of its provisioners a state is kept.
    fn kept(runs: &[f64], cost: f64) -> Vec<usize> {
        let mut budget = Budget::default();
        let mut kept = Vec::new();
        for (at, run) in runs.iter().enumerate() {
            budget.earn(Duration::from_secs_f64(*run));
            if budget.allows(if at + 2 >= runs.len() { Use::Late } else { Use::Inner }, SnapshotPolicy::Auto) {
                budget.spend(Duration::from_secs_f64(cost));
                kept.push(at);
            }
        }
        kept
    }

    #[test]
    fn states_are_kept_as_far_as_run_time_pays_for_them() {
        assert_eq!(kept(&[0.01; 10], 0.2), [0usize; 0], "nothing to gain");
        assert_eq!(kept(&[1.0; 10], 0.2), [6, 8, 9]);
        assert_eq!(kept(&[60.0; 4], 0.2), [0, 1, 2, 3]);
        assert_eq!(kept(&[60.0, 0.1, 0.1], 5.0), [0], "a costly one is made once");
    }

    #[test]
    fn all_that_is_spent_is_less_than_a_tenth() {
        for cost in [0.05, 0.2, 0.25] {
            for runs in [vec![0.3; 30], vec![1.0; 12], vec![10.0, 0.1, 5.0, 0.2]] {
                let spent = cost * f64::from(u32::try_from(kept(&runs, cost).len()).expect("is small"));
                assert!(spent <= runs.iter().sum::<f64>() / 10.0, "{cost} {runs:?}");
            }
        }
    }

    #[test]
    fn what_is_worked_on_has_its_state_kept() {
        let budget = Budget::default();
        assert!(budget.allows(Use::WorkedOn, SnapshotPolicy::Auto));
        assert!(!budget.allows(Use::WorkedOn, SnapshotPolicy::Never));
        assert!(budget.allows(Use::Inner, SnapshotPolicy::Always));
    }
}
