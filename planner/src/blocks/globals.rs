//! The values that every expression of a template may use.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

use crate::expression::scope::{FileKind, Files};
use crate::expression::value::Value;
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
    /// Draws sixteen random bytes. The same seed gives the same bytes in the same order.
    pub(crate) fn draw(&self) -> [u8; 16] {
        let count = self.drawn.fetch_add(1, Ordering::Relaxed);
        let mut bytes = [0; 16];
        let (first, second) = bytes.split_at_mut(8);
        first.copy_from_slice(&mixed(self.seed.wrapping_add(2 * count)).to_be_bytes());
        second.copy_from_slice(&mixed(self.seed.wrapping_add(2 * count + 1)).to_be_bytes());
        bytes
    }
}

/// SplitMix64: the ids shall differ from one another, and nobody needs to be unable to guess them.
fn mixed(counter: u64) -> u64 {
    let state = counter.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// Values by name, each with what it has asked for.
pub type Traced = BTreeMap<Arc<str>, (Value, Usage)>;

/// The values that every expression of a template may use.
#[derive(Debug, Default)]
pub struct Globals {
    /// `var`: the final values of the variables.
    pub variables: BTreeMap<Arc<str>, Value>,
    /// `local`: the local values, each with what it has asked for.
    pub locals: Traced,
    /// `data`: by type and name, each with what it has asked for. None: the place has no `data`.
    pub data: Option<BTreeMap<Arc<str>, Traced>>,
    /// What functions may ask for.
    pub ground: Ground,
}

/// A world without files.
#[derive(Debug)]
struct NoFiles;

impl Files for NoFiles {
    fn read(&self, _: &str) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn kind(&self, _: &str) -> io::Result<FileKind> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn list(&self, _: &str) -> io::Result<Vec<String>> {
        Err(io::ErrorKind::NotFound.into())
    }
}
