//! What a component says of the reuse of its results.
//!
//! A component that says nothing is never reused: a result that is wrong is worse than one that comes late.

use std::fmt;
use std::sync::Arc;

use super::{ComponentKind, Moment, OptionSpec, Settings, boolean, string_list};

/// Whether the result of a node may stand in for running it another time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caching {
    /// Equal inputs, interchangeable results.
    Cacheable,
    /// It is run each time; the words say why, as in "`shell-local` changes this machine".
    Never(String),
}

/// Files that a node reads from this machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reads {
    /// The file or folder, as it is written; relative to the working directory.
    pub path: String,
    /// Whether names and modes matter beside contents: the file or folder is put somewhere as it is. Otherwise only
    /// the bytes of one file count.
    pub is_tree: bool,
}

/// The option by which a template says whether a node may be reused.
const OPT_OUT: &str = "rpk_cache";

/// The option by which a template names what a node depends on and nobody can see.
const INPUTS: &str = "rpk_cache_inputs";

/// Lists the options that every component has for the sake of the cache.
pub(super) fn options(kind: ComponentKind) -> Vec<OptionSpec> {
    if kind == ComponentKind::DataSource {
        return Vec::new();
    }
    vec![
        boolean(OPT_OUT, "Whether its result may be reused; false runs it each time."),
        string_list(INPUTS, "Files, folders and values that its result depends on beside what its options name."),
    ]
}

/// Tells of options whether their node may be reused.
type Judge = Arc<dyn Fn(&Settings, Moment) -> Caching + Send + Sync>;

/// Tells of options which files their node reads.
type Reader = Arc<dyn Fn(&Settings, Moment) -> Vec<Reads> + Send + Sync>;

/// Everything that the cache has to know of a component.
#[derive(Clone)]
pub struct Recipe {
    /// Counts the changes of the implementation after which old results are no longer right.
    pub version: u32,
    /// What the implementation is, where it is not rpk's own: a digest of the plugin.
    pub implementation: Option<Arc<str>>,
    /// Options that cannot change the result: time limits, credentials for logging in, names of temporary files.
    pub immaterial: &'static [&'static str],
    /// For a builder: options that matter for its capture alone.
    pub capture_only: &'static [&'static str],
    /// For a builder: options that matter for its start alone.
    pub boot_only: &'static [&'static str],
    /// For a builder that starts from an image: the option that names it. Its content is the input `image`.
    pub image_option: Option<&'static str>,
    judge: Judge,
    reader: Option<Reader>,
}

impl Recipe {
    /// Describes a component whose results may be reused.
    #[must_use]
    pub fn cacheable(version: u32) -> Self {
        Self::judged(version, |_, _| Caching::Cacheable)
    }

    /// Describes a component that is run each time, with the reason in words.
    #[must_use]
    pub fn never(reason: &'static str) -> Self {
        Self::judged(0, move |_, _| Caching::Never(reason.to_owned()))
    }

    /// Describes a component whose options decide.
    #[must_use]
    pub fn judged(version: u32, judge: impl Fn(&Settings, Moment) -> Caching + Send + Sync + 'static) -> Self {
        Self {
            version,
            implementation: None,
            immaterial: &[],
            capture_only: &[],
            boot_only: &[],
            image_option: None,
            judge: Arc::new(judge),
            reader: None,
        }
    }

    /// Names the implementation by a digest.
    #[must_use]
    pub fn implementation(mut self, digest: &str) -> Self {
        self.implementation = Some(digest.into());
        self
    }

    /// Names the options that cannot change the result.
    #[must_use]
    pub fn immaterial(mut self, options: &'static [&'static str]) -> Self {
        self.immaterial = options;
        self
    }

    /// Names the options that matter for a builder's capture alone.
    #[must_use]
    pub fn capture_only(mut self, options: &'static [&'static str]) -> Self {
        self.capture_only = options;
        self
    }

    /// Names the options that matter for a builder's start alone.
    #[must_use]
    pub fn boot_only(mut self, options: &'static [&'static str]) -> Self {
        self.boot_only = options;
        self
    }

    /// Names the option that names the image which a builder starts from.
    #[must_use]
    pub fn image_option(mut self, option: &'static str) -> Self {
        self.image_option = Some(option);
        self
    }

    /// Says which files are read.
    #[must_use]
    pub fn reads(mut self, reads: impl Fn(&Settings, Moment) -> Vec<Reads> + Send + Sync + 'static) -> Self {
        self.reader = Some(Arc::new(reads));
        self
    }

    /// Tells whether a node with these options may be reused.
    #[must_use]
    pub fn caching(&self, settings: &Settings, moment: Moment) -> Caching {
        if settings.get(OPT_OUT).and_then(serde_json::Value::as_bool) == Some(false) {
            return Caching::Never(format!("`{OPT_OUT}` is false"));
        }
        (self.judge)(settings, moment)
    }

    /// Tells which files a node with these options reads.
    #[must_use]
    pub fn files(&self, settings: &Settings, moment: Moment) -> Vec<Reads> {
        let mut files = self.reader.as_ref().map_or_else(Vec::new, |reader| reader(settings, moment));
        // A value that names no file is an input all the same, as the option's text.
        let named = settings.get(INPUTS).and_then(|inputs| inputs.as_array()).into_iter().flatten();
        files.extend(named.filter_map(|input| {
            let path = input.as_str().filter(|path| !path.is_empty())?.to_owned();
            Some(Reads { path, is_tree: true })
        }));
        files
    }

    /// Tells whether an option can change the result of a node.
    #[must_use]
    pub fn matters(&self, option: &str, moment: Moment) -> bool {
        let elsewhere = match moment {
            Moment::Boot => self.capture_only,
            Moment::Capture => self.boot_only,
            Moment::Run => &[],
        };
        !self.immaterial.contains(&option) && !elsewhere.contains(&option) && option != OPT_OUT
    }
}

impl Default for Recipe {
    fn default() -> Self {
        Self::never("no stored result")
    }
}

impl fmt::Debug for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recipe").field("version", &self.version).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_says_nothing_is_never_reused() {
        assert!(matches!(Recipe::default().caching(&Settings::new(), Moment::Run), Caching::Never(_)));
    }

    #[test]
    fn a_template_may_opt_out_and_name_inputs() {
        let recipe = Recipe::cacheable(1);
        let settings: Settings =
            serde_json::from_str(r#"{"rpk_cache": false, "rpk_cache_inputs": ["lock", ""]}"#).expect("it is an object");
        assert!(matches!(recipe.caching(&settings, Moment::Run), Caching::Never(_)));
        assert_eq!(recipe.files(&settings, Moment::Run), [Reads { path: "lock".to_owned(), is_tree: true }]);
        assert!(!recipe.matters(OPT_OUT, Moment::Run) && recipe.matters(INPUTS, Moment::Run));
    }

    #[test]
    fn options_matter_where_they_are_used() {
        let recipe = Recipe::cacheable(1).immaterial(&["timeout"]).capture_only(&["changes"]).boot_only(&["image"]);
        for (option, moment, matters) in [
            ("timeout", Moment::Boot, false),
            ("changes", Moment::Boot, false),
            ("changes", Moment::Capture, true),
            ("image", Moment::Capture, false),
            ("image", Moment::Boot, true),
        ] {
            assert_eq!(recipe.matters(option, moment), matters, "{option}");
        }
    }
}
