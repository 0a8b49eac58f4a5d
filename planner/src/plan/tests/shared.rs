//! Builds share what they have in common, and nothing else.

use std::sync::Arc;

use super::*;
use crate::lower::hcl::{HclInputs, lower_hcl};
use crate::template::hcl::read as read_hcl;

/// Tells of the n-th provisioner whether the builds `a` and `b` have the very same options, and what their first line
/// is in each.
fn lines(graph: &Graph, index: usize) -> (bool, String, String) {
    let of = |build: &str| {
        let id = graph.nodes().find(|node| node.id.as_str() == format!("{build}/provision/{index}"));
        let node = id.unwrap_or_else(|| panic!("{build} has no provisioner {index}"));
        (node.settings.clone(), node.settings["inline"][0].as_str().unwrap_or_default().to_owned())
    };
    let builds: Vec<&str> = graph.builds.iter().map(|build| build.id.as_str()).collect();
    let ((a, in_a), (b, in_b)) = (of(builds[0]), of(builds[1]));
    (Arc::ptr_eq(&a, &b), in_a, in_b)
}

#[test]
fn legacy_builds_share_what_does_not_ask_for_the_build() {
    let mut world = World::new();
    world.template["builders"] = json!([
        {"type": "box", "name": "a", "image": "base"}, {"type": "box", "name": "b", "image": "base"}
    ]);
    let texts = ["x", "{{user `tag`}}", "{{build_name}}", "{{upper build_type}}", "{{build `ID`}}", "x"];
    let mut steps: Vec<Json> = texts.iter().map(|text| json!({"type": "shell", "inline": [text]})).collect();
    steps[5]["override"] = json!({"b": {"inline": ["y"]}});
    world.template["provisioners"] = Json::Array(steps);
    let graph = world.graph();
    for (index, is_shared, in_a, in_b) in
        [(0, true, "x", "x"), (1, true, "1", "1"), (2, false, "a", "b"), (3, false, "BOX", "BOX"), (5, false, "x", "y")]
    {
        assert_eq!(lines(&graph, index), (is_shared, in_a.to_owned(), in_b.to_owned()), "{index}");
    }
    assert!(!lines(&graph, 4).0);
}

#[test]
fn hcl2_builds_share_what_does_not_ask_for_the_build() {
    let text = r#"
        variable "tag" { default = "1" }
        source "box" "a" { image = "base" }
        source "box" "b" { image = "base" }
        build {
          name = "n"
          sources = ["source.box.a", "source.box.b"]
          provisioner "shell" { inline = ["x${var.tag}"] }
          provisioner "shell" { inline = [source.name] }
          provisioner "shell" { inline = ["${build.name}"] }
          provisioner "shell" { inline = [uuidv4()] }
          provisioner "shell" { inline = ["{{build_name}}"] }
        }
    "#;
    let mut sources = Sources::default();
    let file = sources.add("t.pkr.hcl", text);
    let (template, problems) = read_hcl(&sources, &[file]);
    assert!(!problems.has_errors(), "{problems:?}");
    let (graph, _, problems) =
        lower_hcl(&template, &HclInputs::default(), &Selection::default(), &Components::new(), &sources);
    let graph = graph.unwrap_or_else(|| panic!("{problems:?}"));
    assert_eq!(lines(&graph, 0), (true, "x1".to_owned(), "x1".to_owned()));
    assert_eq!(lines(&graph, 1), (false, "a".to_owned(), "b".to_owned()));
    assert!(!lines(&graph, 2).0);
    let (is_shared, in_a, in_b) = lines(&graph, 3);
    assert!(!is_shared && in_a != in_b, "{in_a} {in_b}");
    assert!(!lines(&graph, 4).0);
}

#[test]
fn a_problem_of_a_shared_component_is_said_for_each_build() {
    let mut world = World::new();
    world.template["builders"] = json!([
        {"type": "box", "name": "a", "image": "base"}, {"type": "box", "name": "b", "image": "base"}
    ]);
    world.template["provisioners"] = json!([{"type": "shell", "inline": ["x"], "nonsense": 1}]);
    let mut sources = Sources::default();
    let file = sources.add("t.json", world.template.to_string());
    let (template, _) = read(&sources, file);
    let template = template.expect("its form is right");
    let (graph, problems) = lower(&template, &Inputs::default(), &Selection::default(), &Components::new());
    assert!(graph.is_none());
    assert_eq!(problems.errors_found(), 2);
}
