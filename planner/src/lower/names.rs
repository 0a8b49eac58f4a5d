//! Do the names that a template and a command line refer to exist?

use std::collections::BTreeSet;

use super::Selection;
use crate::diagnostic::{Diagnostic, Diagnostics, closest};
use crate::graph::Build;
use crate::span::Span;
use crate::template::{Builder, Filter, Template};

/// Checks what concerns the template as a whole: that there is a builder, and every name of a build.
pub(super) fn check_template(template: &Template, problems: &mut Diagnostics) {
    if template.builders.is_empty() {
        problems.push(
            Diagnostic::error("rpk::lower::no_builder", "the template has no builder")
                .help("add at least one object to `builders`"),
        );
    }
    let names = Names { known: template.builders.iter().map(|builder| builder.raw_name.as_str()).collect() };
    for provisioner in template.provisioners.iter().chain(&template.error_cleanup) {
        let whose = format!("provisioner `{}`", provisioner.component);
        names.check_filter(&provisioner.filter, &whose, problems);
        for laid_over in &provisioner.overrides {
            names.check(&laid_over.build, laid_over.build_span, "override", &whose, problems);
        }
    }
    for post_processor in template.post_processors.iter().flatten() {
        let whose = format!("post-processor `{}`", post_processor.component);
        names.check_filter(&post_processor.filter, &whose, problems);
    }
}

struct Names<'a> {
    known: BTreeSet<&'a str>,
}

impl Names<'_> {
    fn check_filter(&self, filter: &Filter, whose: &str, problems: &mut Diagnostics) {
        if let (Some((_, only)), Some((_, except))) = (filter.only.first(), filter.except.first()) {
            problems.push(
                Diagnostic::error("rpk::lower::filter", format!("{whose} has both `only` and `except`"))
                    .at(*except, "names builds to leave out")
                    .at(*only, "names builds to take")
                    .help("keep one of the two"),
            );
        }
        for (key, names) in [("only", &filter.only), ("except", &filter.except)] {
            for (name, span) in names {
                self.check(name, *span, key, whose, problems);
            }
        }
    }

    fn check(&self, name: &str, span: Span, key: &str, whose: &str, problems: &mut Diagnostics) {
        if self.known.contains(name) {
            return;
        }
        let mut problem = Diagnostic::error(
            "rpk::lower::unknown_build",
            format!("`{key}` of {whose} names `{name}`, which no builder is called"),
        )
        .at(span, "no such builder");
        problem.help = Some(match closest(name, self.known.iter().copied()) {
            Some(close) => format!("did you mean `{close}`?"),
            None => format!("the builders are {}", quoted(self.known.iter().copied())),
        });
        problems.push(problem);
    }
}

/// Checks the names given by `-only` and `-except`. Packer ignores unknown ones; a slip should at least be seen.
pub(super) fn check_selection(
    selection: &Selection,
    template: &Template,
    builds: &[(Build, &Builder)],
    problems: &mut Diagnostics,
) {
    let builds: Vec<&str> = builds.iter().map(|(build, _)| build.name.as_str()).collect();
    let post_processors = || template.post_processors.iter().flatten().map(|step| step.name.as_str());
    let only = selection.only.iter().flatten().map(|name| ("-only", name, false));
    let except = selection.except.iter().map(|name| ("-except", name, true));
    for (flag, name, matches_steps) in only.chain(except) {
        let is_known = builds.contains(&name.as_str()) || matches_steps && post_processors().any(|step| step == name);
        if is_known || name.is_empty() {
            continue;
        }
        let mut problem = Diagnostic::warning(
            "rpk::lower::unknown_selection",
            format!("`{flag}` names `{name}`, which does not exist"),
        );
        let candidates = builds.iter().copied().chain(post_processors().filter(|_| matches_steps));
        problem.help = Some(match closest(name, candidates) {
            Some(close) => format!("did you mean `{close}`?"),
            None => format!("the builds are {}", quoted(builds.iter().copied())),
        });
        problems.push(problem);
    }
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
