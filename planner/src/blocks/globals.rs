//! The values that every expression of a template may use.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

use crate::expression::scope::{Files, Host, NoFiles};
use crate::expression::value::Value;
use crate::value::interpolation::{SPLIT_MIX_STEP, split_mix};
use crate::value::usage::Usage;

/// What functions may ask of the world, for a whole run.
#[derive(Debug)]
pub struct Ground {
    /// The folder of the template as the user named it: `path.root`.
    pub template_directory: String,
    /// The working directory, absolute: `path.cwd`.
    pub working_directory: String,
    /// The environment.
    pub environment: BTreeMap<String, String>,
    /// The instant that functions of time answer with.
    pub now: Timestamp,
    /// Reads files.
    pub files: Arc<dyn Files>,
    /// Where random bytes begin.
    pub seed: u64,
    /// How many were drawn, so that no two draws are alike.
    pub drawn: AtomicU64,
}

impl Default for Ground {
    fn default() -> Self {
        Self {
            template_directory: String::new(),
            working_directory: String::new(),
            environment: BTreeMap::new(),
            now: Timestamp::default(),
            files: Arc::new(NoFiles),
            seed: 0,
            drawn: AtomicU64::new(0),
        }
    }
}

impl Ground {
    /// Makes what functions may ask for, with a source of random bytes and a place for what was asked.
    pub(crate) fn host<'a>(&'a self, random: &'a dyn Fn() -> [u8; 16], usage: &'a RefCell<Usage>) -> Host<'a> {
        Host {
            template_directory: &self.template_directory,
            working_directory: &self.working_directory,
            environment: &self.environment,
            now: self.now,
            random,
            files: self.files.as_ref(),
            secrets: None,
            usage,
        }
    }

    /// Draws sixteen random bytes. The same seed gives the same bytes in the same order.
    pub(crate) fn draw(&self) -> [u8; 16] {
        let count = self.drawn.fetch_add(1, Ordering::Relaxed);
        let mut bytes = [0; 16];
        let (first, second) = bytes.split_at_mut(8);
        let number = |index: u64| split_mix(self.seed.wrapping_add(index).wrapping_mul(SPLIT_MIX_STEP));
        first.copy_from_slice(&number(2 * count).to_be_bytes());
        second.copy_from_slice(&number(2 * count + 1).to_be_bytes());
        bytes
    }
}

/// Values by name, each with what it has asked for.
pub type Traced = BTreeMap<Arc<str>, (Value, Usage)>;

/// The values that every expression of a template may use.
#[derive(Debug, Default)]
pub struct Globals {
    /// `var`: the final values of the variables.
    pub variables: BTreeMap<Arc<str>, Value>,
    /// The names of sensitive variables and, with `local.` before them, of sensitive local values.
    pub sensitive: BTreeSet<String>,
    /// `local`: the local values, each with what it has asked for.
    pub locals: Traced,
    /// `data`: by type and name, each with what it has asked for. None: the place has no `data`.
    pub data: Option<BTreeMap<Arc<str>, Traced>>,
    /// `artifact`: the sources whose builds may be asked for what they make, by type.
    pub artifacts: BTreeMap<Arc<str>, BTreeSet<Arc<str>>>,
    /// What functions may ask for.
    pub ground: Ground,
}
