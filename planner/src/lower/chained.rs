//! Builds that need each other's artifacts: their order, the edges between them, and whom `-only` takes along.
//!
//! References are found in what the lowered components have used. Builds are then lowered once more, each after those
//! that it needs, since edges lead forward; a template without such references is lowered just once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::nodes::{Blueprint, BuildLowering, Shelf};
use super::rendering::Renderer;
use crate::catalog::{ArtifactKind, Catalog, ComponentKind};
use crate::chain::builds_in;
use crate::diagnostic::{Diagnostic, Diagnostics, closest};
use crate::graph::{Chained, Edge, Exclusion, Graph, Node, NodeId, NodeKind};

/// Lays out all builds, those of these ids chosen even if the command line does not choose them.
pub(super) type LayOut<'l, 'a> = dyn FnMut(&BTreeSet<String>, &mut Diagnostics) -> Vec<Blueprint<'a>> + 'l;

/// Lowers builds into a graph, each after those whose artifacts it needs.
pub(super) fn lower_builds<'a>(
    lay_out: &mut LayOut<'_, 'a>,
    catalog: &'a dyn Catalog,
    renderer: &Renderer,
    secrets: &mut Vec<String>,
    problems: &mut Diagnostics,
) -> Graph {
    let mut taken_along = BTreeSet::new();
    let mut ranks: HashMap<String, usize> = HashMap::new();
    loop {
        let mut found = Diagnostics::default();
        let mut found_secrets = Vec::new();
        let mut blueprints = lay_out(&taken_along, &mut found);
        blueprints.sort_by_key(|blueprint| ranks.get(&blueprint.build.id).copied().unwrap_or_default());
        let mut graph = Graph::default();
        graph.builds = blueprints.iter().map(|blueprint| blueprint.build.clone()).collect();
        graph.reserve(blueprints.iter().map(Blueprint::node_count).sum());
        let mut shelf = Shelf::default();
        for (index, blueprint) in blueprints.iter().enumerate() {
            let (problems, secrets, shelf) = (&mut found, &mut found_secrets, &mut shelf);
            BuildLowering { catalog, renderer, problems, secrets, index, blueprint, shelf, announced: Vec::new() }
                .lower_into(&mut graph);
        }
        let links = links(&graph, catalog, &mut found);
        let order = if links.is_empty() { None } else { order(&graph, &links, &mut found) };
        if let Some(order) = order {
            let is_new = |build: &&usize| !graph.builds[**build].is_selected;
            let more: Vec<String> = links
                .iter()
                .map(|link| &link.from)
                .filter(is_new)
                .map(|build| graph.builds[*build].id.clone())
                .collect();
            let sorted: HashMap<String, usize> =
                order.iter().enumerate().map(|(rank, build)| (graph.builds[*build].id.clone(), rank)).collect();
            let is_in_order = order.iter().enumerate().all(|(rank, build)| rank == *build);
            if !more.is_empty() || !is_in_order {
                taken_along.extend(more);
                ranks = sorted;
                continue;
            }
            connect(&mut graph, &links, &taken_along);
        }
        problems.extend(found);
        secrets.extend(found_secrets);
        return graph;
    }
}

/// A node's need of another build's artifact.
struct Link {
    /// The build whose artifact it is.
    from: usize,
    /// The build's name, as it is written.
    written: String,
    to: NodeId,
    to_build: usize,
}

fn links(graph: &Graph, catalog: &dyn Catalog, problems: &mut Diagnostics) -> Vec<Link> {
    let mut links = Vec::new();
    for node in graph.nodes().filter(|node| node.excluded.is_none()) {
        // Boot and capture share their builder's options; what these need is needed to start.
        if node.kind == NodeKind::Capture {
            continue;
        }
        // What is rendered only when the node runs holds no marks yet.
        let called = node.origins.iter().flat_map(|origin| origin.usage.artifacts.iter().cloned());
        let mut written: BTreeSet<String> = called.collect();
        node.settings.values().for_each(|value| builds_in(value, &mut written));
        for name in &written {
            match find(graph, name) {
                Ok(from) => {
                    if let Some(problem) = kind_problem(graph, from, node, name, catalog) {
                        problems.push(problem);
                    }
                    links.push(Link { from, written: name.clone(), to: node.id.clone(), to_build: node.build });
                }
                Err(problem) => problems.push(problem.at(node.span, "used here")),
            }
        }
    }
    links
}

/// Finds a build by its name, or in HCL2 by its source's alone.
fn find(graph: &Graph, name: &str) -> Result<usize, Diagnostic> {
    let of_name = |build: &crate::graph::Build| build.id == name || build.name == name;
    if let Some(found) = graph.builds.iter().position(of_name) {
        return Ok(found);
    }
    let end = format!(".{name}");
    let found: Vec<usize> = (0..graph.builds.len()).filter(|build| graph.builds[*build].name.ends_with(&end)).collect();
    match found.as_slice() {
        [one] => Ok(*one),
        [] => {
            let names = graph.builds.iter().map(|build| build.name.as_str());
            let mut problem = Diagnostic::error(
                "rpk::lower::artifact",
                format!("there is no build `{name}` to take the artifact of"),
            );
            problem.help = Some(match closest(name, names.clone()) {
                Some(close) => format!("did you mean `{close}`?"),
                None => format!("the builds are {}", names.collect::<Vec<_>>().join(", ")),
            });
            Err(problem)
        }
        several => {
            let names: Vec<&str> = several.iter().map(|build| graph.builds[*build].name.as_str()).collect();
            Err(Diagnostic::error(
                "rpk::lower::artifact",
                format!("several builds are called `{name}`: {}", names.join(", ")),
            )
            .help(format!("write the whole name, as in `artifact[\"{}\"]`", names[0])))
        }
    }
}

/// Says if a build gives nothing that could be taken.
fn kind_problem(graph: &Graph, from: usize, node: &Node, name: &str, catalog: &dyn Catalog) -> Option<Diagnostic> {
    let boot = graph.nodes().find(|node| node.build == from && node.kind == NodeKind::Boot)?;
    if boot.excluded.is_some() {
        // Its options are not known; it is looked at once it takes part.
        return None;
    }
    let captures = catalog.find(ComponentKind::Builder, &boot.component)?.captures.as_ref()?;
    (captures(&boot.settings) == ArtifactKind::Nothing).then(|| {
        Diagnostic::error("rpk::lower::artifact", format!("build `{name}` gives no artifact"))
            .at(node.span, "takes it here")
            .at(boot.span, "gives nothing")
            .help("let the builder make something, for example with `commit` or `export_path`")
    })
}

/// Sorts the builds, each behind those that it needs, else as they were; none if some need each other.
fn order(graph: &Graph, links: &[Link], problems: &mut Diagnostics) -> Option<Vec<usize>> {
    let mut needs: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for link in links {
        needs.entry(link.to_build).or_default().insert(link.from);
    }
    let mut sorting = Sorting { needs: &needs, sorted: Vec::new(), path: Vec::new() };
    for build in 0..graph.builds.len() {
        if let Err(circle) = sorting.visit(build) {
            let names: Vec<&str> = circle.iter().map(|build| graph.builds[*build].name.as_str()).collect();
            let mut problem = Diagnostic::error(
                "rpk::lower::artifact_cycle",
                format!("builds need each other's artifacts: {}", names.join(" → ")),
            )
            .help("let one of them start from something else");
            for boot in graph.nodes().filter(|node| node.kind == NodeKind::Boot && circle.contains(&node.build)) {
                problem = problem.at(boot.span, "a part of the circle");
            }
            problems.push(problem);
            return None;
        }
    }
    Some(sorting.sorted)
}

struct Sorting<'a> {
    needs: &'a BTreeMap<usize, BTreeSet<usize>>,
    sorted: Vec<usize>,
    path: Vec<usize>,
}

impl Sorting<'_> {
    /// Adds a build behind all that it needs; fails with the circle that it is in.
    fn visit(&mut self, build: usize) -> Result<(), Vec<usize>> {
        if self.sorted.contains(&build) {
            return Ok(());
        }
        if let Some(at) = self.path.iter().position(|on_path| *on_path == build) {
            return Err(self.path[at..].iter().copied().chain([build]).collect());
        }
        self.path.push(build);
        for needed in self.needs.get(&build).into_iter().flatten() {
            self.visit(*needed)?;
        }
        self.path.pop();
        self.sorted.push(build);
        Ok(())
    }
}

fn connect(graph: &mut Graph, links: &[Link], taken_along: &BTreeSet<String>) {
    for link in links {
        let capture = NodeId::new(&graph.builds[link.from].id, &NodeKind::Capture);
        let (Some(from), Some(to)) = (graph.place(&capture), graph.place(&link.to)) else { continue };
        graph.connect(from, to, Edge::Artifact);
        let chained = Chained { written: link.written.clone(), from: capture };
        graph.amend(to, |node| node.chained.push(chained));
    }
    // Who is taken along for the artifact is not asked for what follows it.
    for place in 0..graph.node_count() {
        let node = graph.at(place);
        let is_step = matches!(node.kind, NodeKind::PostProcess { .. }) && node.excluded.is_none();
        if is_step && taken_along.contains(&graph.builds[node.build].id) {
            graph.amend(place, |node| node.excluded = Some(Exclusion::Build));
        }
    }
}
