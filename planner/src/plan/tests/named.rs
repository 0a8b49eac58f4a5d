//! Every change of one input is told by that input's name and by no other, in both template languages.

use std::fmt::Write as _;
use std::io;
use std::sync::Arc;

use super::*;
use crate::expression::scope::{FileKind, Files};
use crate::lower::hcl::{HclInputs, lower_hcl};
use crate::template::hcl::read as read_hcl;

/// A line of a provisioner: a word, and what it is put together with.
#[derive(Clone, Debug)]
enum Line {
    Plain(String),
    Tag(String),
    Other(String),
    Derived(String),
    /// Reads a file by a function, which legacy templates do not have.
    Words(String),
}

#[derive(Clone, Debug)]
enum Step {
    Lines(Vec<Line>),
    Script(&'static str),
}

/// A template in neither language, with the world that it meets.
#[derive(Clone, Debug)]
struct Case {
    is_hcl: bool,
    steps: Vec<Step>,
    tag: String,
    other: String,
    command: String,
    target: String,
    files: HashMap<String, String>,
    image: String,
}

/// A change of one thing.
#[derive(Clone, Debug)]
enum Edit {
    Line(usize, usize),
    Tag,
    Other,
    File(&'static str),
    Image,
    Command,
    Target,
}

impl Line {
    fn word(&mut self) -> &mut String {
        match self {
            Self::Plain(word) | Self::Tag(word) | Self::Other(word) | Self::Derived(word) | Self::Words(word) => word,
        }
    }

    fn text(&self, is_hcl: bool) -> String {
        let (word, hcl, legacy) = match self {
            Self::Plain(word) => (word, "", ""),
            Self::Tag(word) => (word, "${var.tag}", "{{user `tag`}}"),
            Self::Other(word) => (word, "${var.other}", "{{user `other`}}"),
            Self::Derived(word) => (word, "${local.derived}", "{{user `derived`}}"),
            Self::Words(word) => (word, "${file(\"words\")}", ""),
        };
        format!("{word}{}", if is_hcl { hcl } else { legacy })
    }
}

impl Case {
    /// Makes a change; returns the name of what was changed, if anything depends on it.
    fn change(&mut self, edit: &Edit) -> Option<String> {
        let new = |text: &mut String| text.push('x');
        let uses = |steps: &[Step], is: fn(&Line) -> bool| {
            steps.iter().any(|step| matches!(step, Step::Lines(lines) if lines.iter().any(is)))
        };
        match edit {
            Edit::Line(step, line) => {
                let count = self.steps.len();
                let Step::Lines(lines) = self.steps.get_mut(step % count.max(1))? else { return None };
                let line = line % lines.len();
                new(lines[line].word());
                Some(format!("inline[{line}]"))
            }
            Edit::Tag => {
                new(&mut self.tag);
                uses(&self.steps, |line| matches!(line, Line::Tag(_) | Line::Derived(_))).then(|| "var:tag".to_owned())
            }
            Edit::Other => {
                new(&mut self.other);
                uses(&self.steps, |line| matches!(line, Line::Other(_))).then(|| "var:other".to_owned())
            }
            Edit::File(name) => {
                new(self.files.get_mut(*name).expect("there is such a file"));
                let is_read = self.steps.iter().any(|step| matches!(step, Step::Script(script) if script == name));
                let is_asked =
                    *name == "words" && self.is_hcl && uses(&self.steps, |line| matches!(line, Line::Words(_)));
                (is_read || is_asked).then(|| format!("file:{name}"))
            }
            Edit::Image => {
                new(&mut self.image);
                Some("image".to_owned())
            }
            Edit::Command => {
                new(&mut self.command);
                Some("changes[0]".to_owned())
            }
            Edit::Target => {
                new(&mut self.target);
                Some("target".to_owned())
            }
        }
    }

    fn plan(&self, store: &Store) -> Plan {
        let graph = if self.is_hcl { self.hcl() } else { self.legacy() };
        let images = HashMap::from([("base".to_owned(), self.image.clone())]);
        let world = World { template: Json::Null, variables: Vec::new(), files: self.files.clone(), images };
        let facts = world.facts(&graph);
        plan(graph, &facts, store, Options::default())
    }

    fn legacy(&self) -> Graph {
        let step = |step: &Step| match step {
            Step::Lines(lines) => {
                json!({"type": "shell", "inline": lines.iter().map(|line| line.text(false)).collect::<Vec<_>>()})
            }
            Step::Script(script) => json!({"type": "shell", "script": script}),
        };
        let template = json!({
            "variables": {"tag": self.tag, "other": self.other, "derived": "v{{user `tag`}}"},
            "builders": [{"type": "box", "name": "web", "image": "base", "changes": [self.command]}],
            "provisioners": self.steps.iter().map(step).collect::<Vec<_>>(),
            "post-processors": [{"type": "pack", "target": self.target}],
        });
        World { template, variables: Vec::new(), files: HashMap::new(), images: HashMap::new() }.graph()
    }

    fn hcl(&self) -> Graph {
        let mut text = format!(
            "variable \"tag\" {{\n default = \"{}\"\n}}\nvariable \"other\" {{\n default = \"{}\"\n}}\nlocals {{\n \
             derived = \"v${{var.tag}}\"\n}}\nsource \"box\" \"web\" {{\n image = \"base\"\n changes = \
             [\"{}\"]\n}}\nbuild {{\n sources = [\"source.box.web\"]\n",
            self.tag, self.other, self.command
        );
        for step in &self.steps {
            let option = match step {
                Step::Lines(lines) => {
                    let lines: Vec<String> = lines.iter().map(|line| format!("\"{}\"", line.text(true))).collect();
                    format!("inline = [{}]", lines.join(", "))
                }
                Step::Script(script) => format!("script = \"{script}\""),
            };
            let _ = writeln!(text, " provisioner \"shell\" {{\n  {option}\n }}");
        }
        let _ = writeln!(text, " post-processor \"pack\" {{\n  target = \"{}\"\n }}\n}}", self.target);
        let mut sources = Sources::default();
        let file = sources.add("t.pkr.hcl", text.clone());
        let (template, _) = read_hcl(&sources, &[file]);
        let inputs = HclInputs { files: Arc::new(InMemory(self.files.clone())), ..HclInputs::default() };
        let (graph, _, problems) = lower_hcl(&template, &inputs, &Selection::default(), &Components::new(), &sources);
        graph.unwrap_or_else(|| panic!("{problems:?}\n{text}"))
    }
}

#[derive(Debug)]
struct InMemory(HashMap<String, String>);

impl Files for InMemory {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let name = path.rsplit('/').next().unwrap_or(path);
        self.0.get(name).map(|text| text.clone().into_bytes()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn kind(&self, _: &str) -> io::Result<FileKind> {
        Ok(FileKind::File)
    }

    fn list(&self, _: &str) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }
}

fn a_case() -> impl Strategy<Value = Case> {
    let line = ("[a-c]", 0..5_usize).prop_map(|(word, kind)| match kind {
        0 => Line::Plain(word),
        1 => Line::Tag(word),
        2 => Line::Other(word),
        3 => Line::Derived(word),
        _ => Line::Words(word),
    });
    let step = prop_oneof![
        3 => prop::collection::vec(line, 1..4).prop_map(Step::Lines),
        1 => prop::sample::select(vec!["a.sh", "b.sh"]).prop_map(Step::Script),
    ];
    (any::<bool>(), prop::collection::vec(step, 0..5), "[a-c]", "[a-c]").prop_map(|(is_hcl, steps, tag, other)| Case {
        is_hcl,
        steps,
        tag,
        other,
        command: "CMD a".to_owned(),
        target: "out".to_owned(),
        files: ["a.sh", "b.sh", "words"].into_iter().map(|name| (name.to_owned(), name.to_owned())).collect(),
        image: "sha256:1".to_owned(),
    })
}

fn an_edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        4 => (any::<usize>(), any::<usize>()).prop_map(|(step, line)| Edit::Line(step, line)),
        2 => Just(Edit::Tag),
        1 => Just(Edit::Other),
        2 => prop::sample::select(vec!["a.sh", "b.sh", "words"]).prop_map(Edit::File),
        1 => Just(Edit::Image),
        1 => Just(Edit::Command),
        1 => Just(Edit::Target),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_change_of_one_input_is_told_by_its_name_and_no_other(case in a_case(), edit in an_edit()) {
        let mut store = Store::default();
        store.apply(&case.plan(&store.clone()), |_| true);
        let again = case.plan(&store);
        prop_assert_eq!(running(&again), [""; 0]);
        let before = again.record();

        let mut changed = case.clone();
        let name = changed.change(&edit);
        let plan = changed.plan(&store);
        let named: std::collections::BTreeSet<String> =
            plan.steps().flat_map(|step| step.reason.changes()).map(|change| change.input.clone()).collect();
        prop_assert_eq!(named.into_iter().collect::<Vec<_>>(), name.clone().into_iter().collect::<Vec<_>>());
        prop_assert_eq!(name.is_some(), !running(&plan).is_empty());
        for step in plan.steps().filter(|step| step.action == Action::Run) {
            prop_assert!(
                matches!(step.reason, Reason::InputChanged(_) | Reason::UpstreamRuns(_) | Reason::StateMissing(_)),
                "{} {:?}", step.node.id, step.reason
            );
        }
        // A comparison tells the same, whether anything is stored or not.
        let told: std::collections::BTreeSet<String> = plan.compare(&before).nodes.iter()
            .flat_map(|node| match &node.difference {
                crate::plan::Difference::Changed(changes) => changes.iter().map(|change| change.input.clone()).collect(),
                _ => Vec::new(),
            })
            .collect();
        prop_assert_eq!(told.into_iter().collect::<Vec<_>>(), name.into_iter().collect::<Vec<_>>());
    }
}
